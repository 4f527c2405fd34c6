"""Where a network fails: figures of parts of the tested pictures. Comes in: an Evaluation that looked; goes out: Slices
that are worse than the rest beyond chance, and gaps between the values of a column. numpy alone; must not know torch,
the terminal or the pages.
"""

from sightline.slicing.gaps import Gap, Gaps, Of, gaps_by, within
from sightline.slicing.parts import check_name
from sightline.slicing.search import MIN_PICTURES, Slice, Slices, find_slices

__all__ = ["MIN_PICTURES", "Gap", "Gaps", "Of", "Slice", "Slices", "check_name", "find_slices", "gaps_by", "within"]
