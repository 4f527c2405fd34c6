"""Near-duplicates, found without comparing all pairs. Comes in: pictures; goes out: pairs and groups."""
