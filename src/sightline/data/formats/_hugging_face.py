"""What the two Hugging Face formats share: class names and splits. Comes in: a store, names; goes out: names.

By https://huggingface.co/docs/hub/datasets-file-names-and-splits and the dataset card's `dataset_info`. Must not
know where pixels are.
"""

import json
import re
from collections.abc import Mapping, Sequence

from sightline.data.formats._common import few
from sightline.data.storage.names import is_text
from sightline.data.storage.store import Store
from sightline.errors import DataError, MissingExtraError

CARD = "README.md"
ONLY_TRAIN = (
    "the only split is train, which is Hugging Face's name for data without splits: the parts are drawn as if "
    "none were given"
)


def unless_only_train(splits: Sequence[str] | None) -> tuple[Sequence[str] | None, tuple[str, ...]]:
    """The splits and no note; or None and a note where all is `train`."""
    return (None, (ONLY_TRAIN,)) if splits and set(splits) == {"train"} else (splits, ())


def class_names_in_card(store: Store, column: str) -> list[str] | None:
    """The names of a ClassLabel column that README.md declares, in the order of its indices.

    Raises DataError where they are no such list, MissingExtraError without PyYAML.
    """
    if CARD not in store.names():
        return None
    try:
        text = store.read(CARD).decode("utf-8-sig", "replace")
    except OSError:
        return None
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    if not front or "class_label" not in front[1]:
        return None
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(f"reading the class names in {CARD}", "pyyaml", "parquet") from error
    try:
        card = yaml.safe_load(front[1])
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: of dates that are none
        raise DataError(f"{store.location}/{CARD}: its first block is not YAML: {error}") from error
    found = [names for info in _infos(card) if (names := _names_of(info, column, f"{store.location}/{CARD}"))]
    if any(names != found[0] for names in found):
        raise DataError(
            f"{store.location}/{CARD}: {len(found)} configurations name the classes of {column} differently; "
            "keep the one that is meant"
        )
    return found[0] if found else None


def class_names_in_features(text: bytes, where: str) -> dict[str, list[str]]:
    """Column -> class names, of the ClassLabel columns in a Parquet file's metadata `huggingface`, or lists of it."""
    try:
        features = json.loads(text)["info"]["features"]
        inner = {name: _element(feature) for name, feature in features.items()}
        columns = {n: f for n, f in inner.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"}
        return {name: _checked(feature["names"], where, name) for name, feature in columns.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{where}: its metadata `huggingface` cannot be understood ({error!r})") from error


def _element(feature: object) -> object:
    """What a list holds, in each way that `datasets` has written lists; anything else as it is."""
    if isinstance(feature, list):
        return feature[0] if len(feature) == 1 else feature
    if isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List", "LargeList"):
        return feature.get("feature")
    return feature


def _infos(card: object) -> list[Mapping[str, object]]:
    """`dataset_info` is one configuration or a list of them."""
    info = card.get("dataset_info") if isinstance(card, dict) else None
    return [i for i in (info if isinstance(info, list) else [info]) if isinstance(i, dict)]


def _names_of(info: Mapping[str, object], column: str, where: str) -> list[str] | None:
    features = info.get("features")
    for feature in features if isinstance(features, list) else []:
        mine = feature if isinstance(feature, dict) and feature.get("name") == column else {}
        dtype = next((mine[key] for key in ("dtype", "list", "sequence") if key in mine), None)
        label = dtype.get("class_label") if isinstance(dtype, dict) else None
        if isinstance(label, dict) and "names" in label:
            return _checked(label["names"], where, column)
    return None


def _checked(names: object, where: str, column: str) -> list[str]:
    """A list, or a mapping of '0', '1', ... -> distinct names."""
    if isinstance(names, dict):
        by_index = {str(index): name for index, name in names.items() if isinstance(index, str | int)}
        names = [by_index.get(str(i)) for i in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(n, str | int) for n in names):
        # Not shown: a few lines of YAML can be a structure whose text fills the memory.
        raise DataError(f"{where}: the class names of {column} are no list of names, or of '0': name, '1': name, ...")
    texts = [str(name) for name in names]
    if not all(map(is_text, texts)):
        raise DataError(f"{where}: a class name of {column} holds a lone surrogate, which is no character")
    if len(set(texts)) < len(texts) or "" in texts:
        raise DataError(f"{where}: the class names of {column} are not distinct or empty: {few(texts, 20)}")
    return texts
