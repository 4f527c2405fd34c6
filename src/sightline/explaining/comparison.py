"""What is known of how faithful methods are: dataclasses, and what follows from them. Must not know how it was
measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sightline.explaining.explanation import Explanation
from sightline.metrics import Difference, Figure

GAP = "gap"  # insertion less deletion: how much more probable the answer is for what the map shows than for the rest


@dataclass(frozen=True)
class Row:
    """One method, or a control: maps that know nothing of the network.

    figures      measure -> its mean over the pictures, with `gap`, by which methods are ranked
    over         control -> how much larger the gap is than the control's
    behind       how much larger the largest gap of all methods is than this one's; None of that method itself
    took_s       a picture, for its map
    depends      whether the map changes where the network forgets what it learned; None where it cannot be told
    """

    name: str
    is_control: bool
    figures: Mapping[str, Figure]
    over: Mapping[str, Difference]
    behind: Difference | None
    took_s: float
    depends: bool | None

    @property
    def gap(self) -> float:
        value = self.figures[GAP].value
        assert value is not None
        return value

    @property
    def beats_controls(self) -> bool:
        """Clearly better than maps that know nothing."""
        return all(one.is_clear and one.value > 0 for one in self.over.values())


@dataclass(frozen=True)
class Comparison:
    """
    rows       the controls, then the methods
    left_out   methods that do not go with the network -> why
    examples   one picture by each method
    notes      of the pictures, in sentences
    """

    run: str
    split: str
    num: int
    seed: int
    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    examples: tuple[Explanation, ...]
    notes: tuple[str, ...]
    duration_s: float

    @property
    def methods(self) -> list[Row]:
        """Without the controls, the largest gap first."""
        return [row for row in self.ranked if not row.is_control]

    @property
    def ranked(self) -> list[Row]:
        """Methods and controls, the largest gap first."""
        return sorted(self.rows, key=lambda row: -row.gap)

    @property
    def best(self) -> str | None:
        """The fastest of those that the pictures cannot tell from the most faithful one.

        Only of methods that beat the controls and depend on what the network learned; None where there is none.
        """
        good = [row for row in self.methods if row.beats_controls and row.depends is not False]
        equal = [row for row in good if row is good[0] or (row.behind is not None and not row.behind.is_clear)]
        return min(equal, key=lambda row: row.took_s).name if equal else None

    def to_json(self) -> dict[str, Any]:
        """All but the examples, as plain values."""
        return {**asdict(replace(self, examples=())), "best": self.best}
