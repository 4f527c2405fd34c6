"""Names of shards. Comes in: a pattern, or the name of a shard; goes out: the shards it names, or the split it says.

Must not open a shard.
"""

import glob
import itertools
import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from sightline.data.dataset import SPLIT_NAMES
from sightline.data.formats._common import count
from sightline.data.storage.names import natural_key
from sightline.data.storage.remote import is_url as is_url
from sightline.errors import DataError

MAX_SHARDS = 100_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def is_pattern(text: str) -> bool:
    """Whether it can only be meant as shards: a URL, or a name of tars with braces or stars, or several of them."""
    return is_url(text) or "::" in text or (text.lower().endswith(".tar") and any(c in text for c in "{*?["))


def expand(pattern: str) -> list[str]:
    """`a-{00..02}.tar` -> a-00.tar, a-01.tar, a-02.tar; `{x,y}` -> x, y; several braces in all combinations.

    Raises DataError for braces that are not of these forms, or name too many.
    """
    parts = _BRACES.split(pattern)  # text and the insides of braces by turns
    if any(c in part for part in parts[::2] for c in "{}"):
        raise DataError(f"{pattern}: braces that do not pair, or one inside another; write {{000..009}} or {{a,b}}")
    choices = [[part] if i % 2 == 0 else _choices(part, pattern) for i, part in enumerate(parts)]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > MAX_SHARDS:
        raise DataError(f"{pattern}: names {total:,} shards; at most {MAX_SHARDS:,} are opened")
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _choices(inside: str, pattern: str) -> list[str]:
    match = _RANGE.fullmatch(inside)
    if not match:
        if "," not in inside:
            raise DataError(f"{pattern}: {{{inside}}} is neither a range {{000..009}} nor a list {{a,b}}")
        return [word.strip() for word in inside.split(",")]
    first, last = (int(end) for end in match.groups())
    if first > last or last - first >= MAX_SHARDS:
        raise DataError(
            f"{pattern}: {{{inside}}} runs from {first} to {last}; write the smaller first, {MAX_SHARDS:,} at most"
        )
    width = len(match[1]) if match[1].startswith("0") or len(match[1]) == len(match[2]) else 0
    return [f"{i:0{width}d}" for i in range(first, last + 1)]


def local_files(pattern: str) -> list[str]:
    """Absolute paths of the files that a pattern names, in its order. Raises DataError for those that are absent."""
    absolute = os.path.abspath(os.path.expanduser(pattern))
    names = expand(absolute)
    if any(c in absolute for c in "*?["):
        found = sorted((f for name in names for f in glob.glob(name)), key=natural_key)
        if not found:
            raise DataError(f"{pattern}: no file of such a name")
        return found
    missing = [name for name in names if not os.path.isfile(name)]
    if missing:
        raise DataError(f"{pattern}: {len(missing)} of {len(names)} shards are not there: {count(missing, 'file')}")
    return names


def common_folder(shards: Sequence[str]) -> str:
    """The folder above all shards, paths or URLs; "" where they have none in common."""
    folders = {posixpath.dirname(shard.replace(os.sep, "/")) for shard in shards}
    levels = zip(*(folder.split("/") for folder in folders), strict=False)
    return "/".join(level[0] for level in itertools.takewhile(lambda level: len(set(level)) == 1, levels))


def split_of(shard: str) -> str | None:
    """The split that a shard's name says, or its folder's: `x/train-01.tar`, `x/imagenet-val-1.tar`, `val/1.tar`.

    Raises DataError where the name says two.
    """
    path = Path(shard)
    words = {word for word in re.split(r"[^a-z]+", path.name.lower().removesuffix(".tar")) if word in SPLIT_NAMES}
    said = {SPLIT_NAMES[word] for word in words}
    if len(said) > 1:
        raise DataError(f"{shard}: its name says {' and '.join(sorted(said))}; a shard belongs to one split")
    return said.pop() if said else SPLIT_NAMES.get(path.parent.name.lower())
