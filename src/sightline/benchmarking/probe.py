"""A process of its own: opens a run or an export, answers one picture, says so, then measures. Not for people.

    python -m sightline.benchmarking.probe PATH SECONDS

Comes in: encoded pictures on standard input, as base64, one a line; goes out: a line of JSON when the first is
answered, and one with all figures. The less is imported before the first answer, the better.
"""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.predictor import Predictor

NUM_WARM_UP = 3
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MIN_ANSWERS = 20  # of which a 95 % quantile can be told
POWER = Path("/sys/class/powercap/intel-rapl:0/energy_uj")  # microjoules of the first processor, where it can be read


def main(path: str, seconds: float) -> None:
    from sightline.predictor import Predictor

    pictures = [base64.b64decode(line) for line in sys.stdin]
    predictor = Predictor.open(path)
    answer = predictor.predict(pictures[0])[0]
    print(json.dumps({"first": answer.line()}), flush=True)
    print(json.dumps(_figures(predictor, pictures, seconds)), flush=True)


def _figures(predictor: "Predictor", pictures: list[bytes], seconds: float) -> dict[str, Any]:
    import numpy as np

    frames = np.stack([predictor.read(picture) for picture in pictures])
    engine, size = predictor.engine, predictor.engine.batch_size
    batch = np.stack(list(islice(cycle(frames), size)))
    one, end_to_end = iter(cycle(frames)), iter(cycle(pictures))
    graph = _timed(lambda: engine(next(one)[None]), seconds)
    latency = _timed(lambda: predictor.predict(next(end_to_end)), seconds)
    batches = _timed(lambda: engine(batch), seconds)
    energy = _energy()
    rate = _throughput(predictor, pictures, seconds)
    spent = None if energy is None else (float(_energy() or 0) - energy) / 1e6
    return {
        "latency_ms": {name: 1000 * float(np.quantile(latency, share)) for name, share in QUANTILES.items()},
        "graph_ms": 1000 * float(np.median(graph)),
        "graph_a_second": size / float(np.median(batches)),
        "batch": size,
        "pictures_a_second": rate[0] / rate[1],
        "joules_a_picture": None if spent is None or spent <= 0 else spent / rate[0],
        "memory_mb": _peak_memory_mb(),
    }  # fmt: skip


def _timed(act: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each call, for so long; at least MIN_ANSWERS, or three times as long."""
    for _ in range(NUM_WARM_UP):
        act()
    found, begin = list[float](), time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds or (len(found) < MIN_ANSWERS and spent < 3 * seconds):
        before = time.perf_counter()
        act()
        found.append(time.perf_counter() - before)
    return found


def _throughput(predictor: "Predictor", pictures: list[bytes], seconds: float) -> tuple[int, float]:
    """How many of an endless stream are answered, and in how many seconds."""
    until = [float("inf")]

    def stream() -> Iterator[bytes]:
        for picture in cycle(pictures):
            if time.perf_counter() > until[0]:
                return
            yield picture

    answers, begin, num = predictor.stream(stream()), 0.0, 0
    for count, _ in enumerate(answers):
        if count + 1 == 2 * predictor.engine.batch_size:  # threads and caches are warm
            begin, num = time.perf_counter(), count + 1
            until[0] = begin + seconds
    return count + 1 - num, time.perf_counter() - begin


def _energy() -> float | None:
    """Microjoules so far."""
    try:
        return float(POWER.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _peak_memory_mb() -> float | None:
    """The most that the process has held. Linux's `ru_maxrss` would count what its parent held when it was started."""
    status = Path("/proc/self/status")
    if status.is_file():
        (peak_kb,) = (line.split()[1] for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(peak_kb) / 2**10
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on a Mac


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
