"""What a network has learned, stage by stage. One file, one view:

    filters     the first layer, as pictures
    probe       what each stage can already tell
    field       how much of the picture a unit sees
    channels    the crops that excite a channel most, and a picture made to excite it
    plane       the data as the network sees them, on a plane

`look.py` puts them together. numpy, but for what the engine gives.
"""
