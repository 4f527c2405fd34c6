"""`predict --out` against what it is made of: on the same cores it can be no faster than decoding and network together.

    python benchmarks/bulk.py EXPORT ... [--times 3] [--large 100] [--small 2000]

large   photographs of hymenoptera, enlarged to 12 megapixels (4000 x 3000, JPEG of quality 90)
small   CIFAR-10's test part as JPEGs of 32 x 32

a  decoding and preprocessing alone, in a thread a core; b  the network and its decision alone, of pictures held
preprocessed; c  files -> a CSV file with a row each. Each keeps all cores busy, so the bound of c is 1 / (1/a + 1/b),
where cores are idle in neither; the slower of a and b is it where they are not the same cores. The three in turn,
medians; pictures a second.
"""

import argparse
import io
import statistics
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from _common import header, test_data
from sightline.bulk import predict_to
from sightline.data.reading.scan import in_threads
from sightline.predictor import Predictor

SIZE = (4000, 3000)


def large(folder: Path, num: int) -> list[str]:
    """Enlarged photographs; some under several names where there are fewer."""
    with zipfile.ZipFile(test_data() / "data" / "hymenoptera.zip") as archive:
        members = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:num]
        for i, name in enumerate(members):
            with Image.open(io.BytesIO(archive.read(name))) as image:
                image.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC).save(folder / f"{i:04d}.jpg", quality=90)
    return [str(path) for path in sorted(folder.iterdir())]


def small(folder: Path, num: int) -> list[str]:
    with tarfile.open(test_data() / "data" / "cifar10_jpg.tar.gz") as archive:
        for member in archive:
            if "test" in member.name and member.name.endswith(".jpg") and num > 0:
                file = archive.extractfile(member)
                assert file is not None
                (folder / member.name.replace("/", "_")).write_bytes(file.read())
                num -= 1
    return [str(path) for path in sorted(folder.iterdir())]


def decode(predictor: Predictor, names: list[str]) -> None:
    for _ in in_threads(predictor.read, names):
        pass


def answer(predictor: Predictor, names: list[str], pictures: list) -> None:  # type: ignore[type-arg]
    size = predictor.engine.batch_size
    for i in range(0, len(names), size):
        for _ in predictor.answered(names[i : i + size], pictures[i : i + size]):
            pass


def whole(predictor: Predictor, names: list[str], folder: Path) -> None:
    predict_to(predictor, names, folder / "out.csv", {}).path.unlink()


def measure(predictor: Predictor, names: list[str], folder: Path, times: int) -> str:
    pictures = list(in_threads(predictor.read, names))
    ways: list[Callable[[], None]] = [
        lambda: decode(predictor, names),
        lambda: answer(predictor, names, pictures),
        lambda: whole(predictor, names, folder),
    ]
    answer(predictor, names[:64], pictures[:64])
    rates: list[list[float]] = [[], [], []]
    for _ in range(times):
        for way, found in zip(ways, rates, strict=True):
            start = time.perf_counter()
            way()
            found.append(len(names) / (time.perf_counter() - start))
    a, b, c = map(statistics.median, rates)
    bounds = [1 / (1 / x + 1 / y) for x, y in zip(rates[0], rates[1], strict=True)]
    shares = [x / y for x, y in zip(rates[2], bounds, strict=True)]
    return (
        f"a {a:8.1f}  b {b:8.1f}  c {c:8.1f}  of the bound {statistics.median(shares):.2f} "
        f"({min(shares):.2f} to {max(shares):.2f})  of the slower {c / min(a, b):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exports", nargs="+", metavar="EXPORT", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--large", type=int, default=100)
    parser.add_argument("--small", type=int, default=2000)
    args = parser.parse_args()
    header("predict --out, of what its parts bound it to")
    with tempfile.TemporaryDirectory() as root:
        for kind, make, num in (("large", large, args.large), ("small", small, args.small)):
            folder = Path(root) / kind
            folder.mkdir()
            names = make(folder, num) if num else []
            for path in args.exports if names else ():
                found = measure(Predictor.open(path), names, Path(root), args.times)
                print(f"{kind} {len(names):6,}  {path}: {found}", flush=True)


if __name__ == "__main__":
    main()
