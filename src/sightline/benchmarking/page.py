"""The page of speeds. Comes in: a Benchmark; goes out: one HTML file's text."""

from datetime import UTC, datetime

from sightline import __version__
from sightline.benchmarking.measure import Benchmark, Speed
from sightline.benchmarking.words import HEADINGS, ahead, cells, machine
from sightline.report.benchmark_facts import BenchmarkFacts, SpeedDot
from sightline.report.page import render_benchmark


def page(found: Benchmark) -> str:
    """The whole page."""
    first = found.speeds[0]
    headline = next(iter(ahead(found)), f"{first.pictures_a_second:,.0f} pictures a second by {first.engine}")
    return render_benchmark(
        BenchmarkFacts(
            title=first.path if _num_networks(found) == 1 else f"{_num_networks(found)} networks",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            headline=headline,
            machine=machine(found),
            headings=HEADINGS,
            rows=tuple(cells(speed) for speed in found.speeds),
            dots=_dots(found),
            duration_s=found.duration_s,
        )
    )


def _dots(found: Benchmark) -> tuple[SpeedDot, ...]:
    known = [(speed, speed.figure) for speed in found.speeds if speed.figure is not None]
    several = _num_networks(found) > 1
    return tuple(
        SpeedDot(
            found.speeds.index(speed) + 1,
            f"{speed.network}, {speed.engine}" if several else speed.engine,
            speed.pictures_a_second,
            figure,
            not any(_beats((other, its), (speed, figure)) for other, its in known),
        )
        for speed, figure in known
    )


def _num_networks(found: Benchmark) -> int:
    return len({speed.network for speed in found.speeds})


def _beats(first: tuple[Speed, float], second: tuple[Speed, float]) -> bool:
    """Whether one is better in one way, and no worse in the other."""
    faster, righter = first[0].pictures_a_second - second[0].pictures_a_second, first[1] - second[1]
    return min(faster, righter) >= 0 and max(faster, righter) > 0
