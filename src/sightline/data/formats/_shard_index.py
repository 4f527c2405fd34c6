"""The samples of one shard. Comes in: something that reads byte ranges of it; goes out: a ShardIndex.

The layout is written in `webdataset`. Headers and labels are read, no picture. Must not know where the shard lies,
other shards, or class names.
"""

import dataclasses
import json
import posixpath
from collections import Counter
from dataclasses import dataclass, field

from sightline.data.formats._common import count, is_picture
from sightline.data.formats._held_labels import VALUE, number, value_names
from sightline.data.storage.names import as_text, is_text, is_visible
from sightline.data.storage.tar import FILE, FOLDER, Member, Read, members
from sightline.errors import DataError

LABEL_FIELD, JSON_FIELD, JSON_LABELS, JSON_LISTS = "cls", "json", ("label", "class", "cls"), "labels"
MAX_LABEL_BYTES = 1 << 20  # a label member larger than this is no label

Label = int | str | list[int | str] | dict[str, float]


@dataclass(frozen=True)
class ShardIndex:
    """All lists are (n,), in the order of the shard. groups, splits: "" for none.

    labels  an index or a name; several of them, a list; or name -> number
    """

    names: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    left_aside: dict[str, int] = field(default_factory=dict)  # field -> how many
    has_end_mark: bool = True

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> "ShardIndex":
        """Raises ValueError or TypeError for what `to_json` did not write."""
        return ShardIndex(**json.loads(text))


@dataclass
class _Sample:
    """What has been found of one key so far."""

    picture: Member | None = None
    label: Label | None = None
    record: dict[str, object] = field(default_factory=dict)
    labelled_by: str = ""


def key_and_field(name: str) -> tuple[str, str]:
    """`a/b.c.jpg` -> (`a/b`, `c.jpg`), as WebDataset divides names: at the first dot of the last part."""
    folder, base = posixpath.split(name)
    key, _, rest = base.partition(".")
    return posixpath.join(folder, key), rest


def index_shard(read: Read, length: int, where: str) -> ShardIndex:
    """The index of a tar of `length` bytes. Raises DataError that names the member."""
    samples: dict[str, _Sample] = {}
    left_aside, has_end_mark, seen = Counter[str](), True, set[str]()
    for member in members(read, length, where):
        if not member.name:
            has_end_mark = False
            continue
        name = as_text(posixpath.normpath(member.name))
        if member.kind == FOLDER or not is_visible(name):
            continue
        if name in seen:
            raise DataError(f"{where}: {name} occurs twice; keys must differ within a shard")
        seen.add(name)
        key, what = key_and_field(name)
        sample = samples.setdefault(key, _Sample())
        if member.kind != FILE:
            left_aside["links and the like"] += 1
        elif what in (LABEL_FIELD, JSON_FIELD):
            _take_label(sample, what, _text(read, member, f"{where}: {name}"), f"{where}: {name}")
        elif "." not in what and is_picture(name):
            if sample.picture is not None:
                raise DataError(f"{where}: {key} has two pictures, {sample.picture.name} and {name}; keep one a sample")
            sample.picture = dataclasses.replace(member, name=name)
        else:
            left_aside[what or "without a dot"] += 1
    return _index(samples, dict(left_aside), has_end_mark, where)


def _index(samples: dict[str, _Sample], left_aside: dict[str, int], has_end_mark: bool, where: str) -> ShardIndex:
    unlabelled = [s.picture.name for s in samples.values() if s.picture is not None and s.label is None]
    lonely = [f"{key}.{s.labelled_by}" for key, s in samples.items() if s.picture is None and s.label is not None]
    if unlabelled:
        raise DataError(
            f"{where}: {count(unlabelled, 'picture')} without a label; each needs KEY.cls, or KEY.json with "
            f"{', '.join(JSON_LABELS)}, {JSON_LISTS} or {VALUE}, beside it"
        )
    if lonely:
        raise DataError(
            f"{where}: {count(lonely, 'label')} without a picture of the same key; add it, or remove the label"
        )
    index = ShardIndex(left_aside=left_aside, has_end_mark=has_end_mark)
    for sample in samples.values():
        if sample.picture is not None and sample.label is not None:
            index.names.append(sample.picture.name)
            index.offsets.append(sample.picture.offset)
            index.sizes.append(sample.picture.size)
            index.labels.append(sample.label)
            index.groups.append(_plain(sample.record, "group", where))
            index.splits.append(_plain(sample.record, "split", where))
    return index


def _text(read: Read, member: Member, where: str) -> str:
    if member.size > MAX_LABEL_BYTES:
        raise DataError(f"{where}: {member.size:,} bytes; a label has at most {MAX_LABEL_BYTES:,}")
    try:
        return read(member.offset, member.size).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8; a label is text") from error


def _take_label(sample: _Sample, what: str, text: str, where: str) -> None:
    """Put a label member into the sample; .cls comes before .json, and two indices must agree."""
    if what == LABEL_FIELD:
        label: Label | None = _index_or_name(text.strip())
        if label == "":
            raise DataError(f"{where}: empty; write an index or a name")
    else:
        sample.record = _object(text, where)
        label = _label_of(sample.record, where)
        if label is None:
            return
    both_indices = isinstance(label, int) and isinstance(sample.label, int)
    if both_indices and label != sample.label:
        raise DataError(f"{where}: says class {label}, the sample's .{sample.labelled_by} says {sample.label}")
    if sample.label is None or what == LABEL_FIELD:
        sample.label, sample.labelled_by = label, what


def _object(text: str, where: str) -> dict[str, object]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f'{where}: expected an object such as {{"label": 7}}, not {type(record).__name__}')
    return record


def _label_of(record: dict[str, object], where: str) -> Label | None:
    """One class comes before several, those before numbers."""
    named = [name for name in JSON_LABELS if name in record]
    if named:
        return _index_or_text(record[named[0]], f"{where}: {named[0]}", "an index or a name")
    if JSON_LISTS in record:
        labels, expected = record[JSON_LISTS], "a list of names or indices"
        if not isinstance(labels, list):
            raise DataError(f"{where}: {JSON_LISTS} = {str(labels)[:80]!a}; expected {expected}")
        return [_index_or_text(label, f"{where}: {JSON_LISTS}", expected) for label in labels]
    names = value_names(list(record), where)
    if not all(map(is_text, names)):
        raise DataError(f"{where}: the name of a number holds a lone surrogate, which is no character")
    return {name: number(record[key], f"{where}: {key}") for key, name in names.items()} or None


def _index_or_text(label: object, where: str, expected: str) -> int | str:
    if isinstance(label, bool) or not isinstance(label, int | str) or label == "" or not is_text(str(label)):
        raise DataError(f"{where} = {str(label)[:80]!a}; expected {expected}")
    return _index_or_name(label.strip()) if isinstance(label, str) else label


def _index_or_name(text: str) -> int | str:
    """`7` -> 7. `007` and `²` stay names; so does what is too long for an index."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and str(int(text)) == text else text


def _plain(record: dict[str, object], name: str, where: str) -> str:
    """A field of the JSON as text, "" where it is absent."""
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int) or not is_text(str(value)):
        raise DataError(f"{where}: {name} = {str(value)[:80]!a}; expected text or a number")
    return str(value)
