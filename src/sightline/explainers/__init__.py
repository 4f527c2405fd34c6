"""What in a picture an answer hangs on. One file, one method; each exposes

    TITLE            its name, as papers write it
    NEEDS            `stage`: a map inside the network and the gradient there; `gradient`: that of the pixels;
                     `answers`: nothing but answers, so that an exported network does too
    SIGNED           whether a map has values below 0, where the picture speaks against the answer
    UNIT             of its values: `score` is a logit, a number's standard deviation, or the difference of two
    SAYS             a line for people: what the map shows
    CAUTION          what it does not show, where that is known of the method; else empty
    maps(subject)    -> a map for each picture, float32 (N, height, width), in the network's frame

A method gets a Subject. Must not know runs, files or how maps are shown.
"""

from sightline.explainers._subject import Question as Question
from sightline.explainers._subject import Subject as Subject
from sightline.registry import Registry

METHODS = Registry("sightline.explainers", "method", ("TITLE", "NEEDS", "SIGNED", "UNIT", "SAYS", "CAUTION", "maps"))
