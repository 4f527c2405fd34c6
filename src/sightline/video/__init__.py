"""A film, a stream or a camera -> answers in time.

Comes in: a Predictor and the name of a source; goes out: a Moment for each frame that was answered, the events that
they make up, a film with the answers drawn on it. A frame is answered as a picture of it would be. Must not know the
terminal.
"""
