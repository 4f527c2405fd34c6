"""Which pictures probably carry a wrong label. Comes in: a data set and what its features are of; goes out: a list.

Nothing is relabelled: the user's files are read, and only the folder that was named is written to.
"""
