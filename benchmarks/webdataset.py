"""Claim: shards become batches of 224 px as fast as by the `webdataset` package with torch's DataLoader, or faster.

The same shards for both, by turns in processes of their own: photographs of the test data (trashnet, hymenoptera; short
side 256) in shards of 50. Both shuffle shards and pictures, scale the short side to 256, cut 224 x 224 from the middle
and give uint8 batches of 64; both use all cores. `--scale 4` enlarges the photographs to a short side of 1,024 first,
as cameras have them. `--http` reads them from a server on loopback: the first epoch, nothing cached or indexed.
`webdataset` is no dependency: `pip install webdataset`, or `--peer FOLDER` with a folder that it was installed to.

  python benchmarks/webdataset.py --repeats 5
"""

import argparse
import functools
import http.server
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from _common import header, spread, test_data

BATCH, SIDE, PER_SHARD = 64, 224, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="times each, by turns (5)")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="enlarge the photographs (1: as they are)")
    parser.add_argument("--pictures", type=int, default=1400, metavar="N", help="photographs (1400)")
    parser.add_argument("--http", action="store_true", help="from a server on loopback, the first epoch")
    parser.add_argument("--peer", default="", metavar="FOLDER", help="where `webdataset` was installed to")
    parser.add_argument("--run", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--shards", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(SIDES[args.run](args.shards)))
        return
    header(f"Shards to batches of {BATCH} x {SIDE} px, {'http' if args.http else 'local'}, scale {args.scale}.")
    with tempfile.TemporaryDirectory() as folder:
        num_shards = make(Path(folder), args.pictures, args.scale)
        place = serve(folder) if args.http else folder
        shards = f"{place}/train-{{000..{num_shards - 1:03d}}}.tar"
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(args.repeats):
            for side in SIDES:
                count, took = measured(side, shards, args.peer)
                seconds[side].append(count / took)
        for side, rates in seconds.items():
            print(f"{side:11s} {spread(rates, ' pictures/s')}")
        ratios = [ours / peer for ours, peer in zip(seconds["sightline"], seconds["webdataset"], strict=True)]
        print(f"ratio       {spread(ratios)}; median of medians "
              f"{statistics.median(seconds['sightline']) / statistics.median(seconds['webdataset']):.2f}")  # fmt: skip


def make(folder: Path, num_pictures: int, scale: int) -> int:
    """Write the shards; how many."""
    from PIL import Image

    pictures = []
    for name in ("trashnet.zip", "hymenoptera.zip"):
        with zipfile.ZipFile(test_data() / "data" / name) as archive:
            jpegs = [n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg"))]
            pictures += [(archive.read(n), n.split("/")[-2]) for n in jpegs]
    classes = sorted({label for _, label in pictures})
    pictures = pictures[:: max(1, len(pictures) // num_pictures)][:num_pictures]
    for i in range(0, len(pictures), PER_SHARD):
        with tarfile.open(folder / f"train-{i // PER_SHARD:03d}.tar", "w") as shard:
            for k, (data, label) in enumerate(pictures[i : i + PER_SHARD], start=i):
                if scale > 1:
                    image = Image.open(io.BytesIO(data)).convert("RGB")
                    file = io.BytesIO()
                    image.resize((image.width * scale, image.height * scale)).save(file, "JPEG", quality=90)
                    data = file.getvalue()
                for what, content in (("jpg", data), ("cls", str(classes.index(label)).encode())):
                    info = tarfile.TarInfo(f"{k:06d}.{what}")
                    info.size = len(content)
                    shard.addfile(info, io.BytesIO(content))
    return -(-len(pictures) // PER_SHARD)


def serve(folder: str) -> str:
    handler = functools.partial(WithRanges, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class WithRanges(http.server.SimpleHTTPRequestHandler):
    """Files, or a part of one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not wanted or not path.is_file():
            super().do_GET()
            return
        first, last = (int(v) for v in wanted.removeprefix("bytes=").split("-"))
        last = min(last, path.stat().st_size - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{path.stat().st_size}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        with path.open("rb") as file:
            file.seek(first)
            self.wfile.write(file.read(last + 1 - first))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def measured(side: str, shards: str, peer: str) -> tuple[int, float]:
    """Pictures and seconds of one epoch, in a process with an empty cache."""
    cache = tempfile.mkdtemp()
    paths = [peer] if side == "webdataset" and peer else []
    environment = os.environ | {
        "XDG_CACHE_HOME": cache,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, __file__, "--run", side, "--shards", shards]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    shutil.rmtree(cache)
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stdout}{done.stderr}")
    count, seconds = json.loads(done.stdout.splitlines()[-1])
    return count, seconds


def sightline(shards: str) -> tuple[int, float]:
    import numpy as np
    import torch

    from sightline.data import open_dataset
    from sightline.data.batches import Batches
    from sightline.data.preprocess import Preprocessing

    torch.set_num_threads(1)
    start = time.perf_counter()
    data = open_dataset(shards)
    preprocessing = Preprocessing(SIDE, SIDE, crop_fraction=SIDE / 256)
    batches = Batches(data, np.arange(len(data)), None, preprocessing, (), BATCH, seed=0)
    count = sum(len(batch.labels) for batch in batches.epoch(1))
    return count, time.perf_counter() - start


def webdataset(shards: str) -> tuple[int, float]:
    sys.path.remove(str(Path(__file__).parent))  # or this file would be imported in the package's place
    import torch
    from torchvision.transforms import v2

    import webdataset as wds

    transform = v2.Compose([v2.Resize(256), v2.CenterCrop(SIDE), v2.PILToTensor()])
    urls = f"pipe:curl -s -f {shards}" if shards.startswith("http") else shards
    start = time.perf_counter()
    pipeline = (
        wds.WebDataset(urls, shardshuffle=100, seed=0)
        .shuffle(1000)
        .decode("pilrgb")
        .to_tuple("jpg", "cls")
        .map_tuple(transform, lambda label: label)
        .batched(
            BATCH, collation_fn=lambda rows: (torch.stack([r[0] for r in rows]), torch.tensor([r[1] for r in rows]))
        )
    )
    loader = torch.utils.data.DataLoader(pipeline, batch_size=None, num_workers=os.cpu_count() or 1)
    count = sum(len(labels) for _, labels in loader)
    return count, time.perf_counter() - start


SIDES = {"sightline": sightline, "webdataset": webdataset}

if __name__ == "__main__":
    main()
