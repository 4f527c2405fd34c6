"""Tests of the page and the card."""
