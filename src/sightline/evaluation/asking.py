"""What a test is asked besides its answers, of a run, options and files. Comes in: words of the user; goes out: Asked.

An operating point of two classes, costs, a tree of classes; everything is checked here. Must not know metrics' insides.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.decision import sets
from sightline.errors import ConfigError, DataError, nearest
from sightline.metrics import Asked
from sightline.run import CALIBRATION, Run

SEPARATOR = "/"  # of class names that say where they stand: animal/cat


def asked_of(
    run: Run,
    positive: str | None = None,
    specificity: float | None = None,
    sensitivity: float | None = None,
    costs: str | Path | None = None,
    hierarchy: str | Path | None = None,
) -> Asked:
    """What the test of a run is asked; where nothing is said the second of two classes, at 95 % specificity.

    positive      of two classes, the one that is to be found
    specificity, sensitivity   the rate, 0 to 1, that is to be kept; at most one of them
    costs         a CSV: a row for each true class, a column for each answer, named by the first cells
    hierarchy     a CSV with the columns class and parent

    Raises ConfigError where the run does not answer such questions, DataError where a file says nothing usable.
    """
    config = run.config
    if config.task != "single":
        for name, value in (
            ("positive", positive), ("specificity", specificity), ("sensitivity", sensitivity), ("costs", costs),
            ("hierarchy", hierarchy),
        ):  # fmt: skip
            if value is not None:
                raise ConfigError(f"{name}: {run.path} does not answer one class a picture, but {config.task}")
        return Asked(config.classes)
    fixed, at = _point(specificity, sensitivity)
    classes = config.classes
    if len(classes) != 2:
        for name, value in (("positive", positive), ("specificity", specificity), ("sensitivity", sensitivity)):
            if value is not None:
                raise ConfigError(f"{name}: it is asked of two classes, and {run.path} has {len(classes)}")
    index = 1 if positive is None else _index(positive, classes)
    return Asked(
        classes,
        index if len(classes) == 2 else 1,
        fixed,
        at,
        _calibration(run, index) if len(classes) == 2 else None,
        None if costs is None else read_costs(Path(costs), classes),
        tree_of_names(classes) if hierarchy is None else read_tree(Path(hierarchy), classes),
    )


def _point(specificity: float | None, sensitivity: float | None) -> tuple[str, float]:
    if specificity is not None and sensitivity is not None:
        raise ConfigError("specificity and sensitivity: one of them is kept, the other measured; name one")
    fixed, at = ("specificity", 0.95 if specificity is None else specificity)
    if sensitivity is not None:
        fixed, at = "sensitivity", sensitivity
    if not 0 < at < 1:
        raise ConfigError(f"{fixed} = {at:g}: it must lie between 0 and 1, such as 0.95")
    return fixed, at


def _index(name: str, classes: tuple[str, ...]) -> int:
    if name not in classes:
        raise ConfigError(f"positive: {nearest(name, classes, 'class')}")
    return classes.index(name)


def _calibration(run: Run, positive: int) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Labels and probabilities of the positive class, of the pictures that two classes were calibrated by."""
    path = run.path / CALIBRATION
    if not path.is_file():
        return None
    known = sets.opened(run.read_json(CALIBRATION), len(run.config.classes), str(path))
    labels = np.array(known["labels"], np.int64)
    true = 1 - np.array(known["scores"]["lac"], np.float64)  # the probability of the right class
    return labels, np.where(labels == positive, true, 1 - true)


def read_costs(path: Path, classes: tuple[str, ...]) -> NDArray[np.float64]:
    """(K, K) in the run's class order. Raises DataError for classes that are missing, unknown or there twice."""
    (_, head), *rows = _rows(path, "a head of the classes' names, and a row for each class")
    answers = head[1:]
    _check_names(f"{path}, the columns", answers, classes)
    _check_names(f"{path}, the rows", [row[0] for _, row in rows], classes)
    found = np.empty((len(classes), len(classes)))
    for line, row in rows:
        if len(row) != len(head):
            raise DataError(f"{path}, line {line}: {len(row) - 1} costs, and {len(answers)} classes above them")
        for name, cell in zip(answers, row[1:], strict=True):
            found[classes.index(row[0]), classes.index(name)] = _number(cell, f"{path}, line {line}, column {name!r}")
    return found


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"{where}: {cell!r} is no cost; write a number, such as 0 or 2.5")
    return value


def _check_names(where: str, names: Sequence[str], classes: tuple[str, ...]) -> None:
    """Each class once and nothing else."""
    for name in names:
        if name not in classes:
            raise DataError(f"{where}: {nearest(name, classes, 'class')}")
        if names.count(name) > 1:
            raise DataError(f"{where}: {name!r} is there {names.count(name)} times; leave one")
    missing = [name for name in classes if name not in names]
    if missing:
        raise DataError(f"{where}: {', '.join(map(repr, missing[:5]))} missing; the run has {len(classes)} classes")


def tree_of_names(classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...] | None:
    """`animal/cat` -> animal, animal/cat; None where no class is named so, or all alike above their own name."""
    parts = [name.split(SEPARATOR) for name in classes]
    return _shortened([[SEPARATOR.join(p[: i + 1]) for i in range(len(p))] for p in parts])


def read_tree(path: Path, classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The nodes above each class, of a CSV with the columns class and parent (empty, or not there: it is on top).

    Raises DataError for classes that are missing, for a node with two parents or one that stands above itself.
    """
    (_, head), *rows = _rows(path, "the columns class and parent")
    if head != ["class", "parent"]:
        raise DataError(f"{path}: its columns are {', '.join(head)}; they must be class,parent")
    parents = dict[str, str]()
    for line, row in rows:
        if len(row) != 2 or not row[0]:
            raise DataError(f"{path}, line {line}: write a class and its parent, which may be empty")
        if parents.setdefault(row[0], row[1]) != row[1]:
            raise DataError(f"{path}, line {line}: {row[0]!r} has the parents {parents[row[0]]!r} and {row[1]!r}")
    missing = [name for name in classes if name not in parents]
    if missing:
        raise DataError(f"{path}: {', '.join(map(repr, missing[:5]))} missing; name the parent of every class")
    tree = []
    for name in classes:
        nodes = [name]
        while above := parents.get(nodes[0], ""):
            if above in nodes:
                raise DataError(f"{path}: {above!r} stands above itself; mend its parents")
            nodes.insert(0, above)
        tree.append(nodes)
    found = _shortened(tree)
    if found is None:
        raise DataError(f"{path}: no two classes have a parent of their own, so there are no levels to tell apart")
    return found


def _shortened(tree: list[list[str]]) -> tuple[tuple[str, ...], ...] | None:
    """Without what stands above all classes; None where then nothing stands above any."""
    while min(map(len, tree)) > 1 and len({nodes[0] for nodes in tree}) == 1:
        tree = [nodes[1:] for nodes in tree]
    return tuple(map(tuple, tree)) if max(map(len, tree)) > 1 else None


def _rows(path: Path, wanted: str) -> list[tuple[int, list[str]]]:
    """The lines of a CSV that are not empty, with their numbers; the head first."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            found = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(found) < 2:
        raise DataError(f"{path} holds no table; expected {wanted}")
    return found
