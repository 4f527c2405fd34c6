"""Sightline: from a folder of pictures to a trained, measured, usable network."""

__version__ = "0.1.0"
