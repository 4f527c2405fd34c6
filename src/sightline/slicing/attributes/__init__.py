"""One file, one attribute: what can be said of a picture before it is asked. A file's name is what users call it.

    UNIT             of numbers, as in `under 32 pixels`; "" where the values are texts
    values(tested)   an Evaluation that looked -> floats (n,), or texts (n,); None where it says nothing here

Numbers are cut into quarters elsewhere. Columns of a table are attributes of their own, without a file.
"""

from sightline.registry import Registry

ATTRIBUTES = Registry("sightline.slicing.attributes", "attribute", ("UNIT", "values"))
