"""A Run -> an Artefact that is proven to answer as it does. `export` makes one, `verify` proves it again anywhere.

Must not know the terminal.
"""
