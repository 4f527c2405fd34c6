"""Whether maps are true. One file, one measure; each exposes

    BETTER           `lower` or `higher`
    SAYS             a line for people: what is measured
    measure(asked)   -> a value for each picture, float64 (N,), not a number where it says nothing of one; None where it
                     cannot be measured

`Asked` has what was explained, and the maps. Methods differ in how fine their maps are: whatever is taken away from a
picture or given to it is whole cells of a grid, so that none gains by scattering points. Must not know the terminal or
pages.
"""

from sightline.explaining.faithfulness._asked import Asked as Asked
from sightline.registry import Registry

MEASURES = Registry("sightline.explaining.faithfulness", "measure", ("BETTER", "SAYS", "measure"))
