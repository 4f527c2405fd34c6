"""A data set with every fault planted, and which finding must name which pictures. Comes in: an empty folder."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from cli.cases import one_bit_png

CLASSES = ("boat", "car", "tree")
NUM_A_CLASS = 24


def photograph(seed: int, height: int = 96, width: int = 128) -> Image.Image:
    """Blobs, stripes and noise, unlike those of any other seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    pixels = np.full((height, width, 3), 1.0) * generator.uniform(60, 160, 3)
    for _ in range(10):
        cy, cx, size = generator.uniform(0, height), generator.uniform(0, width), generator.uniform(5, 28)
        pixels += generator.uniform(-80, 90, 3) * (np.hypot(y - cy, x - cx) < size)[:, :, None]
    angle, step = generator.uniform(0, np.pi), generator.uniform(3, 9)
    pixels += 25 * (np.sin((x * np.cos(angle) + y * np.sin(angle)) / step) > 0)[:, :, None]
    pixels += generator.normal(0, 5, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def clean(root: Path, splits: tuple[str, ...] = ("",)) -> Path:
    """Good pictures: root/[split/]class/00.jpg."""
    for number, (split, label) in enumerate((s, c) for s in splits for c in CLASSES):
        folder = root / split / label
        folder.mkdir(parents=True)
        for i in range(NUM_A_CLASS):
            photograph(1000 * number + i).save(folder / f"{label} of {1000 * number + i}.jpg", quality=90)
    return root


def first(folder: Path, number: int) -> Path:
    return sorted(folder.glob("* of *.jpg"))[number]


def planted(root: Path) -> dict[str, set[frozenset[str]]]:
    """`clean` with splits, and each fault once or more; what must be found: kind -> sets of paths."""
    clean(root, ("train", "val", "calibration", "test"))  # a split in full: none is drawn
    train, test = root / "train", root / "test"
    found: dict[str, set[frozenset[str]]] = {}

    def note(kind: str, *paths: Path) -> None:
        found.setdefault(kind, set()).add(frozenset(path.relative_to(root).as_posix() for path in paths))

    cut, empty, page, huge = (train / "boat" / f"{name}.jpg" for name in ("cut", "empty", "page", "huge"))
    cut.write_bytes(first(train / "boat", 0).read_bytes()[:3000])
    empty.write_bytes(b"")
    page.write_text("<!DOCTYPE html><html><body>404</body></html>")
    huge.write_bytes(one_bit_png(20_000, 20_000))
    for path in (cut, empty, page):
        note("corrupt", path)
    note("bomb", huge)

    named = train / "car" / "named.jpg"
    photograph(90001).save(named, "PNG")
    note("misnamed", named)
    film = train / "car" / "film.gif"
    photograph(90002).save(film, save_all=True, append_images=[photograph(90003)])
    note("animated", film)
    turned = train / "car" / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(90004).save(turned, exif=exif, quality=90)
    note("orientation", turned)
    grey, deep = train / "tree" / "grey.jpg", train / "tree" / "deep.png"
    photograph(90005).convert("L").save(grey, quality=90)
    levels = np.asarray(photograph(90006).convert("L")).astype(np.uint16) * 257
    Image.fromarray(levels).save(deep)
    note("mixed_modes", grey)
    note("mixed_modes", deep)
    note("mixed_depths", deep)

    white, dark, bright = (train / "tree" / f"{name}.png" for name in ("white", "dark", "bright"))
    Image.new("RGB", (128, 96), "white").save(white)
    photograph(90007).point(lambda value: value // 9).save(dark)
    photograph(90008).point(lambda value: 222 + value // 8).save(bright)
    note("blank", white)
    note("dark", dark)
    note("overexposed", bright)
    soft = train / "tree" / "soft.jpg"
    photograph(90009).filter(ImageFilter.GaussianBlur(4)).save(soft, quality=90)
    note("blurred", soft)
    tiny, long = train / "tree" / "tiny.png", train / "tree" / "long.jpg"
    photograph(90010).resize((16, 12)).save(tiny)
    photograph(90011, 50, 350).save(long, quality=90)
    note("tiny", tiny)
    note("long", long)

    twin = train / "boat" / "twin.jpg"
    shutil.copy(first(train / "boat", 1), twin)
    note("duplicate", first(train / "boat", 1), twin)
    leaked = test / "boat" / "leaked.png"  # the same pixels, packed otherwise
    Image.open(first(train / "boat", 2)).save(leaked)
    note("leak", first(train / "boat", 2), leaked)
    odd = train / "car" / "odd.jpg"
    shutil.copy(first(train / "boat", 3), odd)
    note("contradiction", first(train / "boat", 3), odd)
    for kind, number, path in (
        ("near_duplicate", 4, train / "boat" / "again.jpg"),
        ("near_leak", 5, test / "boat" / "smaller.jpg"),
        ("near_contradiction", 6, train / "car" / "other.jpg"),
    ):
        picture = Image.open(first(train / "boat", number))
        picture.resize((100, 75), Image.Resampling.LANCZOS).save(path, quality=70)
        note(kind, first(train / "boat", number), path)
    return found
