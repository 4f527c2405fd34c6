"""Shows progress and tables on a terminal. Where the output is no terminal, only the lines that are worth keeping."""

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

T = TypeVar("T")


class Terminal:
    """A `sightline.training.progress.Progress` on standard error, so that standard output stays for answers."""

    def __init__(self) -> None:
        self.bars: Progress | None = None
        self.task: TaskID | None = None

    def __enter__(self) -> "Terminal":
        if sys.stderr.isatty():
            self.bars = _bars()
            self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bars is not None:
            self.bars.stop()

    def say(self, text: str) -> None:
        if self.bars is not None:
            self.bars.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def track(self, items: Iterable[T], total: int, what: str) -> Iterable[T]:
        if self.bars is None:
            yield from items
            return
        task = self.bars.add_task(what, total=total, figures="")
        for item in items:
            yield item
            self.bars.advance(task)
        self.bars.remove_task(task)

    def step(self, step: int, total: int, figures: str) -> None:
        if self.bars is None:
            return
        if self.task is None:
            self.task = self.bars.add_task("training", total=total, figures="")
        self.bars.update(self.task, completed=step, total=total, figures=figures)


def _bars() -> "Progress":
    from rich import progress
    from rich.console import Console

    class Rate(progress.ProgressColumn):
        """Items a second."""

        def render(self, task: progress.Task) -> str:
            return f"{task.speed:.1f}/s" if task.speed else ""

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[figures]}"),
        console=Console(stderr=True),
        transient=True,
    )


def print_table(table: "Table") -> None:
    """Fits the terminal; piped, every cell is whole, on one line."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(width=10_000, color_system=None)
    with wide.capture() as captured:
        wide.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())
