"""A process that fills the cache is killed, for real, twenty times at random moments; the next is right each time."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import open_dataset
from sightline.data.packs.cache import Cache
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan

FRAME = Preprocessing(64, 64)
NUM_KILLS = 20
BUILD = """
import sys
from pathlib import Path
from sightline.data import open_dataset
from sightline.data.packs.cache import Cache
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan
print("begin", flush=True)
scan(open_dataset(sys.argv[1]), Preprocessing(64, 64), 2, cache=Cache(Path(sys.argv[2]), 10**9, print))
print("end", flush=True)
"""


def make_pictures(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    for i in range(count):
        path = folder / "ab"[i % 2] / f"{i:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = Image.fromarray(generator.integers(0, 256, (20, 24, 3), dtype=np.uint8))
        noise.resize((600, 500)).save(path, quality=85)


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set", 300)
    dataset, said = open_dataset(tmp_path / "set"), list[str]()
    reference = scan(dataset, FRAME, 1)
    assert reference.canvases is not None
    draw, whole_s, num_midway = random.Random(0), 0.0, 0
    for number in range(NUM_KILLS + 1):
        cache = Cache(tmp_path / f"cache-{number}", 10**9, said.append)
        command = [sys.executable, "-c", BUILD, str(tmp_path / "set"), str(cache.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "begin\n"
            begin = time.perf_counter()
            if number == 0:
                process.wait()
                whole_s = time.perf_counter() - begin
                continue
            time.sleep(draw.uniform(0, 1.1 * whole_s))
            process.kill()
        left = sorted(path.suffix for path in cache.folder.glob("*")) if cache.folder.exists() else []
        num_midway += left == [".part"]
        again = scan(dataset, FRAME, 2, cache=cache)
        assert (again.records == reference.records).all() and again.bad == {}
        assert again.canvases is not None
        assert all(np.array_equal(a, b) for a, b in zip(again.canvases, reference.canvases, strict=True))
        assert [path.suffix for path in cache.folder.iterdir()] == [".pack"]
    assert not [line for line in said if "damaged" in line or "waiting" in line]
    assert num_midway >= NUM_KILLS // 3, "the moments must lie within the writing"
