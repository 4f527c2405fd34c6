"""What the page of a check is made of. Comes in: findings and records that were gathered elsewhere; goes out:
CheckFacts. Must not know how anything was found, or how it is drawn.
"""

from dataclasses import dataclass

from sightline.report.histogram import Histogram


@dataclass(frozen=True)
class Shown:
    """One picture; `image` holds the bytes of a thumbnail, PNG or JPEG, or None where it cannot be read."""

    path: str
    label: str
    split: str
    image: bytes | None

    @property
    def media_type(self) -> str:
        return "image/png" if self.image is not None and self.image.startswith(b"\x89PNG") else "image/jpeg"


@dataclass(frozen=True)
class ShownGroup:
    """Pictures that belong together, the first of them, and how many more there are."""

    pictures: tuple[Shown, ...]
    num_more: int
    remark: str


@dataclass(frozen=True)
class ShownFinding:
    """A finding as it stands on the page. `listed`: the paths of every group, up to a limit."""

    kind: str
    severity: str
    title: str
    effect: str
    advice: str
    groups: tuple[ShownGroup, ...]
    num_groups: int
    listed: tuple[str, ...]

    @property
    def of_copies(self) -> bool:
        """Whether pictures stand beside each other to be compared."""
        return any(len(group.pictures) > 1 for group in self.groups)


@dataclass(frozen=True)
class CheckFacts:
    """All that the page of a check tells. `counts`: class -> part -> pictures; `what`: the data in words."""

    title: str
    created: str  # ISO 8601
    version: str
    num_pictures: int
    findings: tuple[ShownFinding, ...]
    checked: tuple[str, ...]  # the kinds that were looked for
    counts: dict[str, dict[str, int]]
    parts: tuple[str, ...]
    what: dict[str, str]
    histograms: tuple[Histogram, ...]
    notes: tuple[str, ...]
    duration_s: float

    @property
    def headline(self) -> str:
        """`2 errors, 1 warning, 3 notes`, or that nothing was found."""
        severities = [finding.severity for finding in self.findings]
        numbers = {name: severities.count(name) for name in ("error", "warning", "note")}
        said = [f"{number} {name}{'' if number == 1 else 's'}" for name, number in numbers.items() if number]
        return ", ".join(said) or "Nothing found"
