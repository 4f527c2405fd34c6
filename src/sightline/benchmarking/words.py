"""What was measured, in words. Comes in: a Benchmark; goes out: lines and cells."""

from collections.abc import Sequence

from sightline.benchmarking.measure import Benchmark, Speed

HEADINGS = (
    "Network", "Engine", "Start, s", "p50, ms", "p95, ms", "p99, ms", "Pictures/s", "Network alone/s", "Memory, MB",
    "Size, MB", "Figure",
)  # fmt: skip


def cells(speed: Speed) -> tuple[str, ...]:
    """Of the table, under HEADINGS."""
    memory = "" if speed.memory_mb is None else f"{speed.memory_mb:,.0f}"
    return (
        speed.network, speed.engine, f"{speed.cold_start_s:.2f}",
        *(f"{value:,.2f}" for value in speed.latency_ms.values()),
        f"{speed.pictures_a_second:,.0f}", f"{speed.graph_a_second:,.0f}", memory, f"{speed.size_mb:,.1f}",
        "" if speed.figure is None else f"{speed.figure:.2%}",
    )  # fmt: skip


def lines(found: Benchmark) -> list[str]:
    """The table, with what it was measured on above and who is ahead below."""
    rows = [HEADINGS, *(cells(speed) for speed in found.speeds)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    table = [_line(row, widths) for row in rows]
    energy = [f"{speed.engine} {speed.joules_a_picture:.3g} J" for speed in found.speeds if speed.joules_a_picture]
    after = [f"Energy a picture: {', '.join(energy)}"] if energy else []
    return [machine(found), *table, *after, *ahead(found)]


def machine(found: Benchmark) -> str:
    """What it was measured on."""
    sides = sorted({f"{width} x {height}" for height, width in found.sides})
    return f"{found.machine}; JPEGs of {', '.join(sides)} pixels"


def ahead(found: Benchmark) -> list[str]:
    """Which is the fastest, and by how much."""
    if len(found.speeds) < 2:
        return []
    order = sorted(found.speeds, key=lambda speed: -speed.pictures_a_second)
    best, slowest = order[0], order[-1]
    times, one = best.pictures_a_second / slowest.pictures_a_second, best.network == slowest.network
    names = [speed.engine if one else f"{speed.network} by {speed.engine}" for speed in (best, slowest)]
    return [f"The fastest is {names[0]}: {times:.1f} times {names[1]}"]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    left = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
    right = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*left, *right]).rstrip()
