"""The small runs that know patches of light above from those below: where a map must point is known."""

from tests.robustness.conftest import one_thread, several, single

__all__ = ["one_thread", "several", "single"]
