"""What several checks say. Comes in: numbers and rows; goes out: pieces of sentences."""

from collections.abc import Sequence


def pictures(count: int, kind: str = "") -> str:
    """`1 picture`, `1,037 test pictures`"""
    return f"{count:,} {kind + ' ' if kind else ''}picture{'' if count == 1 else 's'}"


def plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def share(count: int, total: int) -> str:
    """`3.3 %`; `0.03 %` where one place would say 0.0."""
    percent = 100 * count / max(total, 1)
    return f"{percent:.{1 if percent >= 0.05 or not count else 2}f} %"


def few(names: Sequence[str], num_shown: int = 5) -> str:
    """`'a', 'b' and 3 more`"""
    shown = ", ".join(repr(name) for name in names[:num_shown])
    return f"{shown} and {len(names) - num_shown:,} more" if len(names) > num_shown else shown


def single(rows: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Each row a group of its own."""
    return tuple((int(row),) for row in rows)


def other_label(task: str) -> str:
    """What an alike picture that contradicts is: `one of another class`."""
    return {"single": "one of another class", "multi": "one with other classes", "number": "one with other numbers"}[
        task
    ]
