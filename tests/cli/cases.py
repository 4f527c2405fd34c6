"""Bad input, made to order, and what each must end in. Comes in: an empty folder; goes out: a command line.

The tests run every case in this process; `benchmarks/bad_input.py` runs the same ones as a user would.
A case's maker writes what it needs into the folder `place`, where the command is then started, and returns the
words of the command. Makers that need a run copy the one at `place.parent / "run"`, trained on `fruit`.
"""

import hashlib
import io
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"apples": (200, 40, 40), "pears": (60, 160, 40), "plums": (70, 30, 160)}
NUM_A_CLASS = 8
QUICK = ("--epochs", "1", "--workers", "1", "--set", "model.width=4")  # all that a test can wait for


@dataclass(frozen=True)
class Case:
    """`words`: what the message must say; `code`: the exit code; `group`: the heading it stands under."""

    name: str
    group: str
    code: int
    words: tuple[str, ...]
    make: Callable[[Path], list[str]]


CASES: list[Case] = []


def case(
    name: str, group: str, code: int, *words: str
) -> Callable[[Callable[[Path], list[str]]], Callable[[Path], list[str]]]:
    """Register a maker."""

    def register(make: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
        CASES.append(Case(name, group, code, words, make))
        return make

    return register


def tree(folder: Path) -> dict[str, str]:
    """Every file and folder below `folder`, with a hash of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


# Pictures


def picture(
    label: str,
    number: int,
    size: tuple[int, int] = (10, 12),
    kind: str = "PNG",
    colour: tuple[int, int, int] = (0, 0, 0),
) -> bytes:
    """An encoded picture (height, width) in its class's colour, with noise, so that no two are equal."""
    seed = zlib.crc32(f"{label} {number}".encode())
    noise = np.random.default_rng(seed).normal(0, 25, (*size, 3))
    pixels = (noise + COLOURS.get(label, colour)).clip(0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind)
    return data.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fruit(root: Path, counts: dict[str, int] | None = None) -> Path:
    """A small good data set: root/class/00.png."""
    for label, count in (counts or dict.fromkeys(COLOURS, NUM_A_CLASS)).items():
        for number in range(count):
            write(root / label / f"{number:02d}.png", picture(label, number))
    return root


def with_columns(root: Path, num_a_class: int) -> Path:
    """A table whose rows say more of each picture: its camera and an id."""
    lines = ["path,label,camera,id"]
    for label in COLOURS:
        for i in range(num_a_class):
            write(root / f"{label}{i}.png", picture(label, 1000 + i))
            lines.append(f"{label}{i}.png,{label},{('old', 'new', '')[i % 3]},{label}{i}")
    write(root / "table.csv", "\n".join(lines).encode())
    return root


def bad_pictures() -> dict[str, bytes]:
    """Files that are pictures by name only: name -> bytes."""
    return {
        "truncated.jpg": picture("apples", 1, (64, 64), "JPEG")[:700],
        "truncated.png": picture("apples", 2, (64, 64))[:300],
        "empty.png": b"",
        "text.jpg": b"This is not a picture.\n",
        "page.jpg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "zeros.png": bytes(512),
    }


def with_bad_pictures(root: Path) -> Path:
    """Good fruit, and each bad file among the apples."""
    fruit(root)
    for name, data in bad_pictures().items():
        write(root / "apples" / name, data)
    return root


def one_bit_png(width: int, height: int) -> bytes:
    """A white PNG of 1 bit a pixel: however large, a small file, made row by row."""
    row = b"\0" + b"\xff" * -(-width // 8)
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def table(place: Path, text: str) -> list[str]:
    """`fruit` beside a table with this text."""
    fruit(place / "fruit")
    write(place / "labels.csv", text.encode())
    return ["train", "labels.csv", *QUICK]


def rows(num: int = NUM_A_CLASS) -> str:
    """The lines of a good table of `fruit`, without its header."""
    return "".join(f"fruit/{label}/{i:02d}.png,{label}\n" for label in COLOURS for i in range(num))


# Runs


def own_run(place: Path, change: Callable[[dict[str, object]], object] = lambda config: None) -> Path:
    """A copy of the run and of its pictures; `change` alters its config.json."""
    shutil.copytree(place.parent / "fruit", place / "fruit")
    shutil.copytree(place.parent / "run", place / "run")
    path = place / "run" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["sightline"]["data"] = str(place / "fruit")
    change(config)
    path.write_text(json.dumps(config), encoding="utf-8")
    return place / "run"


def changed_weights(place: Path, change: Callable[[bytearray], bytes | bytearray]) -> Path:
    path = own_run(place) / "model.safetensors"
    path.write_bytes(change(bytearray(path.read_bytes())))
    return path


def flipped(data: bytearray) -> bytearray:
    data[-5] ^= 1
    return data


# Cases: the pictures


@case("an empty folder", "pictures", 5, "data", "no pictures", "Expected one of")
def _(place: Path) -> list[str]:
    (place / "data").mkdir()
    return ["train", "data"]


@case("a path that is not there", "pictures", 5, "photos/none", "no such file or folder")
def _(place: Path) -> list[str]:
    return ["train", "photos/none"]


@case("a mistyped name of a data set", "pictures", 5, "fashion-mnsit", "Did you mean fashion_mnist")
def _(place: Path) -> list[str]:
    return ["train", "fashion-mnsit"]


@case("one class", "pictures", 5, "one class only", "'apples'", "at least two")
def _(place: Path) -> list[str]:
    fruit(place / "data", {"apples": 4})
    return ["train", "data"]


@case("a class with one picture", "pictures", 5, "'pears' (1)", "too few pictures", "add pictures")
def _(place: Path) -> list[str]:
    fruit(place / "data", {"apples": 4, "pears": 1})
    return ["train", "data"]


@case("a class folder without pictures", "pictures", 5, "pears/", "without any picture", "remove it")
def _(place: Path) -> list[str]:
    fruit(place / "data")
    shutil.rmtree(place / "data" / "pears")
    (place / "data" / "pears").mkdir()
    return ["train", "data"]


@case("pictures beside each other", "pictures", 5, "not in class folders", "Expected one of")
def _(place: Path) -> list[str]:
    write(place / "data" / "a.png", picture("apples", 0))
    write(place / "data" / "b.png", picture("pears", 0))
    return ["train", "data"]


@case("a single picture", "pictures", 5, "a.png", "give the folder that holds the pictures")
def _(place: Path) -> list[str]:
    write(place / "a.png", picture("apples", 0))
    return ["train", "a.png"]


@case(
    "truncated, empty and false pictures",
    "pictures",
    5,
    "6 pictures cannot be read",
    "apples/truncated.jpg: truncated",
    "apples/truncated.png: truncated",
    "apples/empty.png: empty file (0 bytes)",
    "apples/text.jpg: not a picture",
    "apples/page.jpg: not a picture: an HTML page",
    "apples/zeros.png: not a picture: 512 zero bytes",
    "--skip-bad",
)
def _(place: Path) -> list[str]:
    with_bad_pictures(place / "data")
    return ["train", "data", *QUICK]


@case("more bad pictures than are shown", "pictures", 5, "25 pictures cannot be read", "and 5 more", "--skip-bad")
def _(place: Path) -> list[str]:
    fruit(place / "data")
    for number in range(25):
        write(place / "data" / "apples" / f"empty{number}.jpg", b"")
    return ["train", "data", *QUICK]


@case("no picture that can be read", "pictures", 5, "2 pictures cannot be read", "/0.jpg: empty file")
def _(place: Path) -> list[str]:
    for label in ("apples", "pears"):
        for number in range(2):
            write(place / "data" / label / f"{number}.jpg", b"")
    return ["train", "data", *QUICK]


@case("--skip-bad leaves a class empty", "pictures", 5, "'pears' (0)", "too few pictures", "pears/0.jpg")
def _(place: Path) -> list[str]:
    fruit(place / "data", {"apples": 8, "plums": 8})
    for number in range(3):
        write(place / "data" / "pears" / f"{number}.jpg", b"")
    return ["train", "data", "--skip-bad", *QUICK]


@case("a picture of 20000x20000", "pictures", 5, "plums/huge.png", "20000x20000 = 400 megapixels", "limit of 179")
def _(place: Path) -> list[str]:
    fruit(place / "data")
    write(place / "data" / "plums" / "huge.png", one_bit_png(20_000, 20_000))
    return ["train", "data", *QUICK]


@case("a damaged zip", "pictures", 5, "data.zip")
def _(place: Path) -> list[str]:
    write(place / "data.zip", b"PK\x03\x04" + bytes(200))
    return ["train", "data.zip"]


# Cases: tables


@case("a table that lists missing files", "table", 5, "2 pictures cannot be read", "fruit/none.png: no such file")
def _(place: Path) -> list[str]:
    return table(place, "path,label\n" + rows() + "fruit/none.png,apples\nfruit/nothing.png,plums\n")


@case("a table without the column label", "table", 5, "labels.csv", "no column 'label'", "path", "rename class")
def _(place: Path) -> list[str]:
    return table(place, "path,class\n" + rows())


@case("a table with empty labels", "table", 5, "labels.csv", "empty label on line 3", "fill it in")
def _(place: Path) -> list[str]:
    return table(place, "path,label\nfruit/apples/00.png,apples\nfruit/apples/01.png,\n")


@case(
    "a table with a path twice", "table", 5, "fruit/apples/00.png (line 2, line 26)", "more than once", "keep one row"
)
def _(place: Path) -> list[str]:
    return table(place, "path,label\n" + rows() + "fruit/apples/00.png,pears\n")


@case("a table with a short row", "table", 5, "line 4", "1 fields instead of 2")
def _(place: Path) -> list[str]:
    return table(place, "path,label\nfruit/apples/00.png,apples\nfruit/pears/00.png,pears\nfruit/pears/01.png\n")


@case("a table without rows", "table", 5, "labels.csv", "no rows")
def _(place: Path) -> list[str]:
    return table(place, "path,label\n")


@case("a table with a mistyped split", "table", 5, "line 3", "'tset'", "Did you mean test")
def _(place: Path) -> list[str]:
    return table(place, "path,label,split\nfruit/apples/00.png,apples,train\nfruit/pears/00.png,pears,tset\n")


# Cases: names and options


def option(name: str, code: int, words: tuple[str, ...], *arguments: str) -> None:
    """A case of `train fruit` with arguments that are wrong."""

    def make(place: Path) -> list[str]:
        fruit(place / "fruit")
        return ["train", "fruit", *arguments]

    case(name, "options", code, *words)(make)


@case("a mistyped command", "options", 2, "'trian'", "Did you mean train")
def _(place: Path) -> list[str]:
    return ["trian", "fruit"]


option("a mistyped option", 2, ("'--epoch'", "Did you mean --epochs"), "--epoch", "1")
option("a word for a number", 2, ("--epochs", "'many'"), "--epochs", "many")
option("a mistyped network", 4, ("'resnet81'", "Did you mean", "resnet18"), "--model", "resnet81")
option("a mistyped value of the recipe", 4, ("'learning_rat'", "learning_rate"), "--set", "learning_rat=0.1")
option("a mistyped augmentation", 4, ("'pad_corp'", "pad_crop"), "--set", 'augment=["pad_corp"]')
option("a mistyped optimizer", 4, ("optimizer", "'adamv'", "adamw"), "--set", "optimizer=adamv")
option("a mistyped option of the network", 4, ("'widht'", "width"), "--set", "model.widht=8")
option("an impossible option of the network", 4, ("width", "-3"), "--set", "model.width=-3")
option("an option of the network of a wrong type", 4, ("width", "'wide'"), "--set", "model.width=wide")
option("--set without a value", 4, ("--set epochs", "key=value"), "--set", "epochs")
option("--epochs -1", 4, ("epochs = -1", "between"), "--epochs", "-1")
option("--epochs 0 from scratch", 4, ("epochs = 0", "pretrained"), "--epochs", "0")
option("batches of 0", 4, ("batch_size = 0", "between 1 and"), "--set", "batch_size=0")
option("a learning rate of nan", 4, ("learning_rate = nan", "between"), "--set", "learning_rate=nan")
option("a text for a number", 4, ("learning_rate", "'fast'", "not a number"), "--set", "learning_rate=fast")
option("--size 5000", 4, ("size = 5000", "between 0 and 4096"), "--size", "5000")
option("--size -3", 4, ("size = -3", "between"), "--size", "-3")
option(
    "--size below the network's least",
    4,
    ("alexnet", "32x32", "smallest are 63x63"),
    "--model",
    "alexnet",
    "--size",
    "32",
)
option("--fold 3/2", 4, ("fold 3/2", "1 <= I <= K"), "--fold", "3/2")
option("--fold 1/100 of 24 pictures", 4, ("fold 1/100", "8"), "--fold", "1/100")
option("--fold half", 4, ("--fold half", "such as 1/5"), "--fold", "half")
option("--minutes 0", 4, ("minutes = 0", "more than 0"), "--minutes", "0")
option("--minutes -5", 4, ("minutes = -5", "more than 0"), "--minutes", "-5")
option("--minutes nan", 4, ("minutes = nan", "more than 0"), "--minutes", "nan")
option("--minutes and --epochs", 2, ("--epochs", "not allowed with"), "--minutes", "5", "--epochs", "3")
option("--workers -1", 4, ("workers = -1", "at least 0"), "--workers", "-1")
option("--seed -1", 4, ("seed = -1", "between 0"), "--seed", "-1")
option("--seed beyond 64 bits", 4, ("seed = 1", "between 0"), "--seed", "1" + "0" * 25)
option("a recipe that is not there", 4, ("none.toml", "No such file"), "--recipe", "none.toml")
option("a folder for a recipe", 4, ("fruit", "s a directory"), "--recipe", "fruit")


@case("a recipe with a syntax error", "options", 4, "own.toml", "not a TOML file", "line 1")
def _(place: Path) -> list[str]:
    write(place / "own.toml", b"epochs = = 3\n")
    return ["train", str(fruit(place / "fruit").name), "--recipe", "own.toml"]


@case("a recipe with an unknown key", "options", 4, "'epoch'", "Did you mean epochs")
def _(place: Path) -> list[str]:
    write(place / "own.toml", b"epoch = 3\n")
    return ["train", str(fruit(place / "fruit").name), "--recipe", "own.toml"]


@case("a recipe whose model_options are no table", "options", 4, "model_options = 3", "[model_options]")
def _(place: Path) -> list[str]:
    write(place / "own.toml", b"model_options = 3\n")
    return ["train", str(fruit(place / "fruit").name), "--recipe", "own.toml"]


@case("--out that exists", "options", 7, "mine exists already", "--out")
def _(place: Path) -> list[str]:
    write(place / "mine" / "thesis.txt", b"years of work")
    fruit(place / "fruit")
    return ["train", "fruit", "--out", "mine", *QUICK]


@case("--out that is a file", "options", 7, "thesis.txt exists already", "--out")
def _(place: Path) -> list[str]:
    write(place / "thesis.txt", b"years of work")
    fruit(place / "fruit")
    return ["train", "fruit", "--out", "thesis.txt", *QUICK]


@case("--out below a file", "options", 7, "thesis.txt/run cannot be made", "--out")
def _(place: Path) -> list[str]:
    write(place / "thesis.txt", b"years of work")
    fruit(place / "fruit")
    return ["train", "fruit", "--out", "thesis.txt/run", *QUICK]


# Cases: weights to start from


option("--weights that are not there", 6, ("none.safetensors", "no such file"), "--weights", "none.safetensors")
option("--weights of no network", 6, ("--model NAME",), "--weights", "pretrained")
option(
    "a mistyped tag of weights",
    6,
    ("IMAGENET1K_V9", "IMAGENET1K_V1"),
    "--model",
    "resnet18",
    "--weights",
    "IMAGENET1K_V9",
)
option(
    "weights that nobody publishes",
    6,
    ("lenet5", "no published weights"),
    "--model",
    "lenet5",
    "--weights",
    "pretrained",
)


@case("--weights of another network", "weights", 6, "whitened_cnn", "lenet5")
def _(place: Path) -> list[str]:
    own_run(place)
    return ["train", "fruit", "--weights", "run", "--model", "lenet5"]


@case("a file of another network's weights", "weights", 6, "own.safetensors", "lenet5", "leave --weights out")
def _(place: Path) -> list[str]:
    (own_run(place) / "model.safetensors").rename(place / "own.safetensors")
    return ["train", "fruit", "--weights", "own.safetensors", "--model", "lenet5"]


@case("truncated weights to start from", "weights", 6, "own.safetensors", "not a whole safetensors file")
def _(place: Path) -> list[str]:
    changed_weights(place, lambda data: data[:-100]).rename(place / "own.safetensors")
    return ["train", "fruit", "--weights", "own.safetensors", "--model", "simple_cnn"]


# Cases: training that cannot go on


@case("a learning rate that makes the loss NaN", "training", 8, "the loss is", "at step", "--set learning_rate=")
def _(place: Path) -> list[str]:
    fruit(place / "fruit")
    recipe = ("model=simple_cnn", "learning_rate=100", "warmup=0", "batch_size=4", "model.norm=none")
    return ["train", "fruit", "--epochs", "50", *(word for value in recipe for word in ("--set", value))]


# Cases: runs


def on_run(name: str, words: tuple[str, ...], spoil: Callable[[Path], object], code: int = 7) -> None:
    """A case of `predict` and of `evaluate` with a run that something is wrong with."""

    def predict(place: Path) -> list[str]:
        spoil(place)
        return ["predict", "run", "fruit/apples/00.png"]

    def evaluate(place: Path) -> list[str]:
        spoil(place)
        return ["evaluate", "run"]

    case(f"predict: {name}", "run", code, *words)(predict)
    case(f"evaluate: {name}", "run", code, *words)(evaluate)


def without(*keys: str) -> Callable[[Path], Path]:
    """A run whose config.json lacks `keys[-1]` inside the others."""

    def change(config: dict[str, object]) -> None:
        for key in keys[:-1]:
            config = config[key]  # type: ignore[assignment]  # tables within tables
        del config[keys[-1]]

    return lambda place: own_run(place, change)


def config_of(text: str) -> Callable[[Path], object]:
    return lambda place: (own_run(place) / "config.json").write_text(text, encoding="utf-8")


def changed(*keys: str, to: object) -> Callable[[Path], Path]:
    """A run whose config.json has another value for `keys[-1]` inside the others."""

    def change(config: dict[str, object]) -> None:
        for key in keys[:-1]:
            config = config[key]  # type: ignore[assignment]  # tables within tables
        config[keys[-1]] = to

    return lambda place: own_run(place, change)


on_run("no such run", ("run", "is not there", "expected a run folder"), lambda place: fruit(place / "fruit"))
on_run("a file for a run", ("run is a file",), lambda place: write(place / "run", b""))
on_run("a folder that is no run", ("run is a folder without config.json",), lambda place: fruit(place / "run"))
on_run("a newer version's run", ("run format 99", "upgrade"), changed("sightline", "format", to=99))
on_run("config.json cut short", ("config.json", "cannot be read"), config_of('{"architecture": "simple'))
on_run("config.json that is a list", ("config.json", "not the config.json"), config_of("[1, 2]"))
on_run("config.json without classes", ("config.json", "lacks 'label_names'"), without("label_names"))
on_run("config.json without a mean", ("config.json", "lacks 'mean'"), without("pretrained_cfg", "mean"))
on_run("config.json without batch_size", ("config.json", "lacks 'batch_size'"), without("sightline", "batch_size"))
on_run("a text as batch_size", ("config.json", "batch_size"), changed("sightline", "batch_size", to="many"))
on_run("a batch_size of 0", ("config.json", "batch_size"), changed("sightline", "batch_size", to=0))
on_run(
    "a wrong crop_mode", ("config.json", "crop_mode", "'middle'"), changed("pretrained_cfg", "crop_mode", to="middle")
)
on_run(
    "an input_size of two numbers", ("config.json", "input_size"), changed("pretrained_cfg", "input_size", to=[3, 28])
)
on_run("an unknown network", ("config.json", "'simple_cn'", "simple_cnn"), changed("architecture", to="simple_cn"))
on_run("a class too many", ("config.json", "4", "3"), changed("label_names", to=["apples", "figs", "pears", "plums"]))
on_run("no weights", ("model.safetensors is missing",), lambda place: (own_run(place) / "model.safetensors").unlink())
on_run(
    "a flipped bit in the weights", ("model.safetensors is damaged", "SHA-256"), lambda p: changed_weights(p, flipped)
)
on_run("truncated weights", ("model.safetensors is damaged",), lambda p: changed_weights(p, lambda data: data[:-64]))


# Cases: evaluate


@case("a label that the run does not know", "evaluate", 5, "'appels'", "Did you mean apples")
def _(place: Path) -> list[str]:
    own_run(place)
    fruit(place / "new")
    (place / "new" / "apples").rename(place / "new" / "appels")
    return ["evaluate", "run", "new"]


@case("the run's pictures have moved", "evaluate", 5, "fruit", "not there", "name the pictures")
def _(place: Path) -> list[str]:
    own_run(place)
    (place / "fruit").rename(place / "elsewhere")
    return ["evaluate", "run"]


@case("a test picture was replaced after training", "evaluate", 5, "1 picture", "such as", "restore")
def _(place: Path) -> list[str]:
    write(place / "fruit" / tested(own_run(place))[0], picture("plums", 99))
    return ["evaluate", "run"]


@case("a test picture has gone", "evaluate", 5, "1 picture", "gone", "restore")
def _(place: Path) -> list[str]:
    (place / "fruit" / tested(own_run(place))[0]).unlink()
    return ["evaluate", "run"]


@case("a test picture was damaged", "evaluate", 5, "1 picture cannot be read", "empty file")
def _(place: Path) -> list[str]:
    write(place / "fruit" / tested(own_run(place))[0], b"")
    return ["evaluate", "run"]


@case("a split that other pictures do not have", "evaluate", 5, "new has no splits", "--split")
def _(place: Path) -> list[str]:
    own_run(place)
    fruit(place / "new")
    return ["evaluate", "run", "new", "--split", "test"]


@case("a column that other pictures do not have", "evaluate", 4, "unknown column 'camra'", "Did you mean camera")
def _(place: Path) -> list[str]:
    own_run(place)
    with_columns(place / "new", 4)
    return ["evaluate", "run", "new/table.csv", "--i-know", "--by", "camra"]


@case("a column in which each picture has a value of its own", "evaluate", 4, "id has 120 values", "at most 100")
def _(place: Path) -> list[str]:
    own_run(place)
    with_columns(place / "new", 40)
    return ["evaluate", "run", "new/table.csv", "--i-know", "--by", "id"]


@case("too few pictures for slices", "evaluate", 5, "12 pictures are too few", "at least 40")
def _(place: Path) -> list[str]:
    own_run(place)
    with_columns(place / "new", 4)
    return ["evaluate", "run", "new/table.csv", "--i-know", "--slices"]


@case("other pictures that are not there", "evaluate", 5, "new/pictures", "no such file")
def _(place: Path) -> list[str]:
    own_run(place)
    return ["evaluate", "run", "new/pictures"]


@case("a run without split.csv", "evaluate", 7, "split.csv", "No such file")
def _(place: Path) -> list[str]:
    (own_run(place) / "split.csv").unlink()
    return ["evaluate", "run"]


@case("a split.csv without its columns", "evaluate", 7, "split.csv", "pixels")
def _(place: Path) -> list[str]:
    path = own_run(place) / "split.csv"
    path.write_text("path,label\nfruit/apples/00.png,apples\n", encoding="utf-8")
    return ["evaluate", "run"]


# Cases: predict


@case("a picture that is not there", "predict", 3, "none.png: no such file")
def _(place: Path) -> list[str]:
    own_run(place)
    return ["predict", "run", "fruit/apples/00.png", "none.png"]


@case("a glob that matches nothing", "predict", 3, "*.jpg: no such file")
def _(place: Path) -> list[str]:
    own_run(place)
    return ["predict", "run", "fruit/apples/*.jpg"]


@case("a folder without pictures", "predict", 3, "fruit: no pictures")
def _(place: Path) -> list[str]:
    own_run(place)
    shutil.rmtree(place / "fruit")
    (place / "fruit").mkdir()
    return ["predict", "run", "fruit"]


def tested(run: Path) -> list[str]:
    """Paths of the run's test pictures, relative to its data."""
    import csv

    with (run / "split.csv").open(encoding="utf-8", newline="") as file:
        return [line["path"] for line in csv.DictReader(file) if line["split"] == "test"]
