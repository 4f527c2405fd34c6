"""A test: what is asked, what was answered, what came of it.

Comes in: a Predictor or a run, and labelled pictures; goes out: an Evaluation, and what its doubts were worth. Must not
know the report's looks.
"""
