"""How far a run's answers stand up to pictures that are not as those of the test. Comes in: a run; goes out: figures.

Corruptions, small moves, and changes that are made to deceive it. All answers come from the predictor's own loop; only
the attacks need gradients, and with them torch.
"""

from sightline.robustness.figures import Robustness
from sightline.robustness.measure import measure

__all__ = ["Robustness", "measure"]
