"""1080p in real time on a processor: frames a second, how late answers are, and what a plain loop does.

    python benchmarks/video.py [--times 3] [--side 224]

The clip is the 1280 x 720 one of the test data, ENLARGED to 1920 x 1080 and written in H.264 (4:2:0, 30 frames a
second). MobileNetV2 with its pretrained weights, a head for ants and bees fitted on it, exported. Each engine: every
frame of the file as fast as can be; then as though it were filmed now, at 30 frames a second, where what comes too fast
is dropped. The peer, in turn: the same decoder, torchvision's transforms and eager PyTorch, one frame after the other.
"""

import argparse
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np

from _common import header, test_data
from sightline import Options, train
from sightline.exporting.export import export
from sightline.video.watch import Watch, watch

RATE, HEIGHT, WIDTH = 30, 1080, 1920
EXPORTS = [("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"), ("onnx", "fp32")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--side", type=int, default=224)
    args = parser.parse_args()
    header("1080p video (720p enlarged), MobileNetV2")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        clip = enlarged(root / "clip.mp4")
        weights = test_data() / "weights/mobilenet_v2.imagenet1k"
        settings = {"model": "mobilenet_v2", "weights": str(weights), "size": args.side}
        run = train(test_data() / "data/hymenoptera.zip", settings, Options(out=root / "run")).path
        engines = {f"{to} {precision}": export(run, to, precision, most_lost=1.0).path for to, precision in EXPORTS}
        engines["the run, by PyTorch"] = run
        found: dict[str, list[tuple[float, dict[str, float], int]]] = {name: [] for name in engines}
        plain: list[float] = []
        for _ in range(args.times):
            for name, path in engines.items():
                found[name].append(both(path, clip))
            plain.append(peer(run, clip, args.side))
        print(f"plain loop: {median(plain):.1f} frames/s ({min(plain):.1f} to {max(plain):.1f})")
        for name, figures in found.items():
            speeds = [speed / other for (speed, _, _), other in zip(figures, plain, strict=True)]
            latency = {q: median(one[1][q] for one in figures) for q in figures[0][1]}
            print(
                f"{name:20s} {median(f[0] for f in figures):6.1f} frames/s, {median(speeds):.2f} times the plain loop "
                f"({min(speeds):.2f} to {max(speeds):.2f}); live: dropped {[f[2] for f in figures]}, latency "
                + ", ".join(f"{q} {value:.0f}" for q, value in latency.items()) + " ms"
            )  # fmt: skip


def enlarged(path: Path) -> Path:
    import av

    with av.open(str(test_data() / "data/video/cockatoo.mp4")) as read, av.open(str(path), "w") as written:
        stream = written.add_stream("libx264", rate=RATE, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i, frame in enumerate(read.decode(video=0)):
            large = frame.reformat(width=WIDTH, height=HEIGHT, format="yuv420p", interpolation="BICUBIC")
            large.pts, large.time_base = i, Fraction(1, RATE)
            written.mux(stream.encode(large))
        written.mux(stream.encode(None))
    return path


def both(path: Path, clip: Path) -> tuple[float, dict[str, float], int]:
    """Frames a second of the file; live: latencies in milliseconds, and how many were dropped."""
    speed = drained(watch(path, clip))["answered_per_s"]
    live = drained(watch(path, clip, live=True))
    return speed, live["latency_ms"], live["num_dropped"]


def drained(watched: Watch) -> dict[str, float]:
    with watched:
        for _ in watched:
            pass
    return watched.summary()


def peer(run: Path, clip: Path, side: int) -> float:
    """Frames a second of the loop that most would write."""
    import av
    import torch
    from torchvision.transforms import v2

    from sightline.engines.torch import open_run
    from sightline.run import Run

    engine = open_run(Run.open(run))
    network = engine.network.eval()
    steps = [v2.Resize(256 * side // 224), v2.CenterCrop(side), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    transform = v2.Compose([*steps, v2.Normalize([0.5] * 3, [0.5] * 3)])
    num, began = 0, time.perf_counter()
    with av.open(str(clip)) as read, torch.inference_mode():
        for frame in read.decode(video=0):
            probabilities = network(transform(frame.to_image())[None]).softmax(1)
            num += int(np.isfinite(probabilities.numpy()).all())
    return num / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
