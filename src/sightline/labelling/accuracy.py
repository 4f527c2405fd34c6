"""What wrong labels mean for a run's test accuracy. Comes in: a run, and which labels are suspected; goes out: its
accuracy as they stand, as suggested, and in between. Must not know features or networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sightline.run import Run, read_csv


@dataclass(frozen=True)
class TestAccuracy:
    """Of a run on those of its test pictures that are here.

    as_suggested   if every suspected label is wrong and the suggestion right
    lowest, highest   if of each suspect the label or the suggestion is right, whichever is worse, or better, for it
    """

    __test__ = False  # no test, whatever its name begins with

    num: int
    num_suspects: int
    as_labelled: float
    as_suggested: float
    lowest: float
    highest: float

    def sentence(self, name: str) -> str:
        """For people."""
        if not self.num_suspects:
            return f"{name}: none of its {self.num:,} test pictures is on the list; {self.as_labelled:.2%} stands."
        verb = "is" if self.num_suspects == 1 else "are"
        return (
            f"{name}: {self.num_suspects:,} of its {self.num:,} test pictures {verb} on the list. As labelled its "
            f"accuracy is {self.as_labelled:.2%}; if every suggestion is right {self.as_suggested:.2%}; at worst "
            f"{self.lowest:.2%}, at best {self.highest:.2%}. The suggestions rest on its own features, and flatter it."
        )


def test_accuracy(run: Run, labels: Mapping[str, str], suggestions: Mapping[str, str]) -> TestAccuracy | None:
    """By its predictions.csv; None where none of its test pictures is among those with `labels`.

    Keys are the hashes of pictures' pixels, by which they are told wherever they lie. Raises RunError where the run's
    files are damaged.
    """
    pixels = {line["path"]: line["pixels"] for line in run.split() if line["split"] == "test"}
    hits = list[tuple[bool, bool, bool]]()  # by the label; by the suggestion, where there is one; whether there is one
    for row in read_csv(run.path / "predictions.csv"):
        key, answer = pixels.get(row.get("path", ""), ""), row.get("predicted")
        if key in labels:
            hits.append((answer == labels[key], answer == suggestions.get(key, labels[key]), key in suggestions))
    if not hits:
        return None
    num = len(hits)
    return TestAccuracy(
        num=num,
        num_suspects=sum(one[2] for one in hits),
        as_labelled=sum(one[0] for one in hits) / num,
        as_suggested=sum(one[1] for one in hits) / num,
        lowest=sum(one[0] and one[1] for one in hits) / num,
        highest=sum(one[0] or one[1] for one in hits) / num,
    )
