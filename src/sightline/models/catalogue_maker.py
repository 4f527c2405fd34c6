"""Makes catalogue.csv from what is installed. Comes in: sources to list anew; goes out: the file, sorted.

Networks are counted on the meta device. One that cannot be built or does not give logits (N, K) is no image
classifier for us and is left out, by name, on the standard error. Takes about a quarter of an hour for timm.
"""

import csv
import importlib.metadata
import sys
from collections.abc import Callable, Iterator

from sightline.errors import ConfigError, nearest
from sightline.models import from_timm, from_torchvision
from sightline.models.catalogue import COLUMNS, OWN, PATH, SOURCES, read_lines
from sightline.models.counting import count
from sightline.models.factory import maker
from sightline.models.names import ModelName
from sightline.models.weights_file import Published

_IMAGENET_CLASSES, _OWN_CLASSES = 1000, 10

Line = dict[str, str]


def main(sources: list[str]) -> int:
    """Lists `sources` anew, all of them if none is named; the other sources' lines stay."""
    for source in sources:
        if source not in SOURCES:
            raise ConfigError(nearest(source, SOURCES, "source of networks"))
    lines = [line for (source, _), line in read_lines().items() if sources and source not in sources]
    for source in sources or SOURCES:
        lines += [line for line in _LISTS[source]() if line]
    lines.sort(key=lambda line: (SOURCES.index(line["source"]), line["name"]))
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("torchvision", "timm"))
    with PATH.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# python -m sightline.models.catalogue, with {versions}\n")
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return 0


def _own() -> Iterator[Line | None]:
    for name in OWN.names():
        yield _line(ModelName("own", name), OWN.get(name).INPUT_SIZE, _OWN_CLASSES, [])


def _torchvision() -> Iterator[Line | None]:
    for name in from_torchvision.names():
        published = from_torchvision.published(name)
        yield _line(ModelName("torchvision", name), published[0].input_size, _IMAGENET_CLASSES, published)


def _timm() -> Iterator[Line | None]:
    for name in from_timm.names():
        size = from_timm.input_size(name)
        yield _line(ModelName("timm", name), size, _IMAGENET_CLASSES, from_timm.published(name))


_LISTS: dict[str, Callable[[], Iterator[Line | None]]] = {
    "own": _own,
    "torchvision": _torchvision,
    "timm": _timm,
}


def _line(name: ModelName, size: tuple[int, int, int], num_classes: int, published: list[Published]) -> Line | None:
    try:
        counts = count(maker(name, num_classes, size[0], {}), size)
        reason = "it gives no logits (N, K)"
    except Exception as error:  # other packages' networks fail in their own ways
        counts, reason = None, f"{type(error).__name__}: {error}".partition("\n")[0]
    if counts is None:
        print(f"left out: {name.source}/{name.base}: {reason}", file=sys.stderr)
        return None
    accuracy = published[0].accuracy if published else None
    return {
        "name": name.base,
        "source": name.source,
        "parameters": str(counts[0]),
        "multiply_adds": "" if counts[1] is None else str(counts[1]),
        "input_size": "x".join(map(str, size)),
        "accuracy": "" if accuracy is None else f"{accuracy:g}",
        "weights": " ".join(weights.tag for weights in published),
        "licence": _licence([weights.licence for weights in published]),
    }


def _licence(stated: list[str | None]) -> str:
    """The licence of all weights; each that there is, the default's first, where they differ."""
    if not any(stated):
        return ""
    return ", ".join(dict.fromkeys(licence or "unstated" for licence in stated))
