"""A run's network, preprocessing and decision -> the files that another engine runs. One file, one target; each exposes

    SAYS         a line for people: what comes out
    PRECISIONS   those that it can be asked for, the plain one first
    PACKAGES     of Python, that made the files
    write(source, folder, precision) -> the layers that had to stay in float, of int8

Must not know runs, proofs or the terminal.
"""

from sightline.exporters._source import Quantising as Quantising
from sightline.exporters._source import Source as Source
from sightline.exporters._stages import Stages as Stages
from sightline.exporters._stages import stages_of as stages_of
from sightline.registry import Registry

EXPORTERS = Registry("sightline.exporters", "target", ("SAYS", "PRECISIONS", "PACKAGES", "write"))
