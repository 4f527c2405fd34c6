"""What README.md and docs/ say is true: every command runs and prints what is shown, every name exists."""

import contextlib
import csv
import dataclasses
import inspect
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from tests.video.conftest import write_film

import sightline
from sightline import errors
from sightline.cli import COMMANDS, command_parser, main
from sightline.data.augment import AUGMENTATIONS
from sightline.data.mixing import MIXINGS
from sightline.data.reading.scan import Survey
from sightline.training.recipe import Recipe
from sightline.training.recipes import Seen, choose

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
SOURCE = PROJECT / "src" / "sightline"
PAGE_OF = {"demo": "install.md"}  # any other command has a page of its own name
NEEDS_NETWORK = "# needs a network"
# What was measured or found differs from machine to machine: these lines need not come.
MEASURED = ("Plan:", "flip:", "Pictures:", "Time:")


@dataclass(frozen=True)
class Block:
    """A fenced block: the language, the lines between the fences."""

    language: str
    lines: list[str]


@dataclass(frozen=True)
class Command:
    """A `$ ` line, the exit code that its comment announces, and the output shown below it."""

    line: str
    code: int
    output: list[str]


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(language, text.splitlines()) for language, text in found]


def commands(block: Block) -> list[Command]:
    found: list[Command] = []
    for text in block.lines:
        if text.startswith("$ "):
            line, _, code = text.removeprefix("$ ").partition("  # exit ")
            found.append(Command(line, int(code or 0), []))
        elif found:
            found[-1].output.append(text)
    return found


def masked(line: str) -> str:
    """Numbers and widths of columns differ from run to run."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d[\d.,]*", "#", line)).strip()


def missing(expected: list[str], actual: str) -> list[str]:
    """Lines of the docs that were not printed. `...` stands for any lines, or for the rest of one."""
    printed = {masked(line) for line in actual.splitlines()}
    lost = []
    for line in expected:
        if line.strip() in ("", "...") or line.startswith(MEASURED):
            continue
        start = masked(line.removesuffix("..."))
        if not any(p.startswith(start) if line.endswith("...") else p == start for p in printed):
            lost.append(line)
    return lost


# The pictures that the docs speak of


def _digits(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    seen = [0] * 10
    for image, label in zip(digits.images, digits.target, strict=True):
        _save(folder / f"{label}/{seen[label]:04d}.png", (image * 255 / 16).round().astype(np.uint8))
        seen[label] += 1


def _fruit(kind: str, generator: np.random.Generator) -> Image.Image:
    colour = {"apple": (200, 40, 40), "lemon": (235, 215, 60), "plum": (90, 40, 110)}[kind]
    picture = Image.fromarray(generator.integers(150, 190, (72, 96, 3), dtype=np.uint8))
    x, y = (int(v) for v in generator.integers(10, 40, 2))
    ImageDraw.Draw(picture).ellipse((x, y, x + 40, y + 30), fill=colour)
    return picture


def _save(path: Path, picture: Image.Image | np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(path)


def _write_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _signs(root: Path) -> None:
    generator, rows = np.random.default_rng(1), [("path", "label", "group")]
    for i in range(40):
        label = ("stop", "yield")[i // 4 % 2]
        pixels = generator.integers(0, 80, (24, 24, 3), dtype=np.uint8)
        pixels[6:18, 6:18, 0 if label == "stop" else 2] = 220
        _save(root / f"signs/{i}.png", pixels)
        rows.append((f"signs/{i}.png", label, f"pole {i // 4}"))
    _write_csv(root / "signs.csv", rows)


def _cells(root: Path) -> None:
    """Red and white discs: which are there, and how many of both."""
    generator = np.random.default_rng(2)
    labels, counts = [("path", "labels")], [("path", "value")]
    for i in range(120):
        numbers = {"red": i % 3 if i % 2 else 0, "white": (i // 3) % 3}
        if i == 0:
            numbers = {"red": 2, "white": 1}
        picture = Image.fromarray(generator.integers(20, 50, (32, 32, 3), dtype=np.uint8))
        places = generator.permutation(9)
        for place, kind in zip(places.tolist(), [k for k, n in numbers.items() for _ in range(n)], strict=False):
            y, x = 3 + 10 * (place // 3), 3 + 10 * (place % 3)
            ImageDraw.Draw(picture).ellipse((x, y, x + 6, y + 6), fill=(200, 40, 40) if kind == "red" else (230,) * 3)
        _save(root / f"cells/{i}.png", picture)
        labels.append((f"cells/{i}.png", ";".join(k for k, n in numbers.items() if n)))
        counts.append((f"cells/{i}.png", str(sum(numbers.values()))))
    _write_csv(root / "cells.csv", labels)
    _write_csv(root / "counts.csv", counts)


def _mistakes(root: Path, digits: Path) -> None:
    """The digits as a table in which every hundredth label is wrong."""
    paths = sorted(digits.glob("*/*.png"))
    digit_of = [(int(path.parent.name) + (3 if i % 100 == 50 else 0)) % 10 for i, path in enumerate(paths)]
    names = [path.relative_to(root).as_posix() for path in paths]
    _write_csv(root / "mistakes.csv", [("path", "label"), *zip(names, map(str, digit_of), strict=True)])


def _mnist(folder: Path, digits: Path) -> None:
    folder.mkdir()
    paths = sorted(digits.glob("*/000*.png")) + sorted(digits.glob("*/001*.png"))
    for prefix, chosen in (("train", paths[:100] + paths[150:]), ("t10k", paths[100:150] + paths[:50])):
        images = np.stack([np.asarray(Image.open(p).resize((28, 28))) for p in chosen])
        header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = bytes(int(p.parent.name) for p in chosen)
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + len(labels).to_bytes(4, "big") + labels)


def _shards(folder: Path, digits: Path) -> None:
    """Digits 0 to 2 as shards."""
    folder.mkdir()
    (folder / "classnames.txt").write_text("zero\none\ntwo\n")
    for name, numbers in (("train-000", range(10)), ("train-001", range(10, 20)), ("val-000", range(20, 25))):
        with tarfile.open(folder / f"{name}.tar", "w") as shard:
            for i in numbers:
                for digit in range(3):
                    label = tarfile.TarInfo(f"{digit}-{i:04d}.cls")
                    label.size = 1
                    shard.add(digits / f"{digit}/{i:04d}.png", f"{digit}-{i:04d}.png")
                    shard.addfile(label, io.BytesIO(str(digit).encode()))


def _make_pictures(root: Path) -> None:
    """All folders and tables that the docs mention."""
    generator, digits = np.random.default_rng(0), root / "digits"
    _digits(digits)
    for kind in ("apple", "lemon", "plum"):
        for i in range(12):
            _save(root / f"photos/{kind}/{i:02d}.jpg", _fruit(kind, generator))
    shutil.make_archive(str(root / "photos"), "zip", root, "photos")
    for digit in range(10):
        for i in range(8):
            for copy in ("more-digits", "damaged"):
                target = root / f"{copy}/{digit}/{i:04d}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(digits / f"{digit}/{i:04d}.png", target)
    broken = root / "damaged/7/0003.png"
    broken.write_bytes(broken.read_bytes()[:60])
    rows = [(f"more-digits/{digit}/{i:04d}.png", str(digit)) for digit in range(10) for i in range(8)]
    _write_csv(root / "more-digits.csv", [("path", "label"), *rows])
    names = [str(digit) for digit in range(10)]
    costs = [(a, *("0" if a == b else "5" if a == "1" else "1" for b in names)) for a in names]
    _write_csv(root / "costs.csv", [("truth", *names), *costs])
    shapes = dict.fromkeys("0689", "round") | dict.fromkeys("147", "straight") | dict.fromkeys("235", "bent")
    _write_csv(root / "shapes.csv", [("class", "parent"), *shapes.items()])
    for split, numbers in (("train", range(6)), ("test", range(6, 10))):
        for name, digit in (("bolt", 1), ("nut", 0)):  # mirrored: pictures that the runs of digits do not know
            for i in numbers:
                _save(
                    root / f"boxes/{split}/{name}/{i}.png", ImageOps.mirror(Image.open(digits / f"{digit}/{i:04d}.png"))
                )
    for i in (1, 2, 3):
        _save(root / f"new/{i}.png", Image.open(digits / f"{i}/0000.png"))
    (root / "new/notes.txt").write_text("not a picture")
    for i in range(20):
        _save(root / f"strangers/{i}.png", generator.integers(0, 256, (8, 8), dtype=np.uint8))
    shutil.copy(root / "strangers/0.png", root / "stranger.png")
    _signs(root)
    _cells(root)
    _mnist(root / "mnist", digits)
    _shards(root / "shards", digits)
    shown = [path for digit in (3, 7) for path in sorted(digits.glob(f"{digit}/*.png"))[:20]]
    write_film(root / "digits.mp4", [np.asarray(Image.open(path).convert("RGB")) for path in shown])
    _mistakes(root, digits)
    _write_csv(root / "wrong.csv", [("file", "label"), ("photos/apple/00.jpg", "apple")])
    typo = [("photos/apple/00.jpg", "apple", "train"), ("photos/plum/00.jpg", "plum", "tset")]
    _write_csv(root / "typo.csv", [("path", "label", "split"), *typo])


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("docs")
    _make_pictures(root)
    return root


@pytest.fixture(scope="session")
def trained(pictures: Path) -> Path:
    """Runs on the digits, the cells and their counts, for the pages that begin with one."""
    for data, name, epochs in (("digits", "digits", "2"), ("cells.csv", "cells", "12"), ("counts.csv", "counts", "12")):
        run = pictures / "runs" / name
        small = [] if name == "digits" else ["--set", "batch_size=16"]
        assert main(["train", str(pictures / data), "--epochs", epochs, "--out", str(run), *small]) == 0
    return pictures / "runs"


@pytest.fixture
def workplace(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own in which all of the pictures lie, as links."""
    for entry in pictures.iterdir():
        if entry.name != "runs":
            (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Every command line and every piece of Python


def examples_of(page: Path) -> list[Block]:
    return [b for b in blocks(page) if b.language == "python" or (b.language == "console" and not _is_remote(b))]


def _is_remote(block: Block) -> bool:
    return block.lines[0] == NEEDS_NETWORK


@pytest.mark.parametrize("page", [page for page in PAGES if examples_of(page)], ids=lambda page: page.name)
def test_the_examples_run_and_print_what_is_shown(
    page: Path, workplace: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = examples_of(page)
    if "runs/digits" in page.read_text("utf-8") and not _trains_first(examples):
        shutil.copytree(request.getfixturevalue("trained"), workplace / "runs")
    for block in examples:
        if block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile("\n".join(block.lines), f"{page.name}", "exec"), {})
            continue
        for command in commands(block):
            code, output = _run(command.line, monkeypatch)
            assert code == command.code, f"{command.line}: exit code {code}, not {command.code}\n{output}"
            lost = missing(command.output, output)
            assert not lost, f"{command.line}: not printed: {lost}\nbut this:\n{output}"


def _trains_first(examples: list[Block]) -> bool:
    lines = [command.line for block in examples for command in commands(block)]
    first = next((i for i, line in enumerate(lines) if line.startswith("sightline train digits/")), len(lines))
    return not any("runs/digits" in line for line in lines[: first + 1]) and first < len(lines)


def _run(line: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit code and output of a line; `sightline` runs in this process, whatever else in a shell."""
    left, pipe, right = line.rpartition(" | ")
    line, _, target = right.partition(" > ")
    if not line.startswith("sightline "):
        assert shlex.split(line)[0] in ("ls", "head"), f"unknown in these pages: {line}"
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    if pipe:
        fed = subprocess.run(left, shell=True, capture_output=True, text=True, check=True).stdout
        monkeypatch.setattr(sys, "stdin", io.StringIO(fed))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(shlex.split(line)[1:])
        except SystemExit as stop:
            code = int(stop.code or 0)
    if target:
        Path(target).write_text(out.getvalue())
        return code, err.getvalue()
    return code, out.getvalue() + err.getvalue()


def test_what_needs_a_network_parses() -> None:
    remote = [b for page in PAGES for b in blocks(page) if b.language == "console" and _is_remote(b)]
    lines = [shlex.split(command.line) for block in remote for command in commands(block)]
    assert lines
    for program, name, *rest in lines:
        assert program == "sightline"
        command_parser(name).parse(rest)


def test_a_missing_line_of_output_is_noticed() -> None:
    assert missing(["a 5.2 s", "...", "known: x, ...", "Plan: y"], "a 13 s\nknown: x, y, z") == []
    assert missing(["b 5 s"], "a 5 s") == ["b 5 s"]
    assert missing(["a"], "a and more") == ["a"]


# Options, fields, files: nothing has drifted


@pytest.mark.parametrize("name", COMMANDS.names())
def test_every_option_of_a_command_is_on_its_page_and_no_other(name: str) -> None:
    page = PROJECT / "docs" / PAGE_OF.get(name, f"{name}.md")
    actions = [a for a in command_parser(name)._actions if a.dest != "help"]
    expected = {a.option_strings[-1] if a.option_strings else str(a.metavar) for a in actions}
    documented = set(re.findall(r"^\| `(--[a-z-]+|[A-Z]+)[^`]*` \|", page.read_text("utf-8"), re.MULTILINE))
    assert documented == expected


def test_the_recipes_fields_and_defaults() -> None:
    text = (PROJECT / "docs/train.md").read_text("utf-8").partition("## The recipe")[2]
    rows = {m[1]: [c.strip(" `") for c in m[2].split("|")] for m in re.finditer(r"^\| `(\w+)` \|(.*)\|$", text, re.M)}
    assert list(rows) == [field.name for field in dataclasses.fields(Recipe)]
    small = choose(Seen(Survey(28, 28, True, True, (0.5,), (0.5,)), 9000)).recipe
    alike = choose(Seen(Survey(28, 28, True, True, (0.5,), (0.5,), alike=0.9), 1000)).recipe
    photos = Survey(480, 640, False, False, (0.5,) * 3, (0.5,) * 3)
    large = choose(Seen(photos, 1000)).recipe
    transfer = choose(Seen(photos, 1000, pretrained=("resnet18", "W"))).recipe
    for column, recipe in enumerate((small, alike, large, transfer)):
        for name, cells in rows.items():
            if cells[column] not in ("own", "yours", "the weights'") and " to " not in cells[column]:
                assert cells[column] == _written(getattr(recipe, name)), f"{name}, column {column}"


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


@pytest.mark.parametrize("name", ["simple_cnn", "lenet5", "whitened_cnn"])
def test_the_options_of_our_own_networks(name: str) -> None:
    import importlib

    options = importlib.import_module(f"sightline.models.architectures.{name}").Options()
    text = (PROJECT / "docs/models.md").read_text("utf-8").partition(f"\n`{name}`")[2].partition("\n\n```")[0]
    text = re.split(r"\n`\w+`: ", text)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", text, re.MULTILINE))
    assert rows == {key: str(value) for key, value in dataclasses.asdict(options).items()}


@pytest.mark.parametrize("name", ["digits", "cells", "counts"])
def test_the_run_folders_files_columns_and_keys(name: str, trained: Path) -> None:
    trained = trained / name
    text = (PROJECT / "docs/run-folder.md").read_text("utf-8")
    sections = dict(re.findall(r"^## `(.+?)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    files, of_many_pictures = {path.name for path in trained.iterdir()}, {"calibration.json", "unknown.safetensors"}
    assert set(sections) - files <= (set() if name == "digits" else of_many_pictures) and files <= set(sections)
    for name in ("split.csv", "predictions.csv"):
        header = (trained / name).read_text("utf-8").splitlines()[0].split(",")
        header = [re.sub("^p_.*", "p_CLASS", column).replace("value", "NAME") for column in header]
        assert [key for key in header if f"`{key}`" not in sections[name]] == [], name
    first_epoch = (trained / "metrics.jsonl").read_text("utf-8").splitlines()[0]
    documents = {"metrics.jsonl": json.loads(first_epoch)}
    for name in ("config.json", "metrics.json", "environment.json", "calibration.json"):
        documents[name] = json.loads((trained / name).read_text("utf-8"))
    for name, document in documents.items():
        assert [key for key in document if f"`{key}`" not in sections[name]] == [], name
    assert [k for k in documents["config.json"]["sightline"] if f"`{k}`" not in sections["config.json"]] == []
    listed = (PROJECT / "README.md").read_text("utf-8")
    assert [path.name for path in trained.iterdir() if path.name not in listed] == []


def test_the_errors_and_their_exit_codes() -> None:
    text = (PROJECT / "docs/errors.md").read_text("utf-8")
    documented = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)}
    tree = {
        name: member.exit_code
        for name, member in vars(errors).items()
        if inspect.isclass(member) and issubclass(member, errors.SightlineError) and member is not errors.SightlineError
    }
    assert documented == tree


def test_the_signatures_of_the_python_page() -> None:
    text = (PROJECT / "docs/python.md").read_text("utf-8")
    documented = dict(re.findall(r"^## `(\w+)(\(.*\))`$", text, re.MULTILINE))
    assert set(documented) == set(sightline.__all__) - {"__version__"}
    for name, signature in documented.items():
        assert signature == plain_signature(getattr(sightline, name)), name
    methods = re.findall(r"^\| `(\w+)(\(.*\))` \|", text, re.MULTILINE)
    assert methods
    for name, signature in methods:
        actual = plain_signature(getattr(sightline.Classifier, name)).replace("(self, ", "(")
        assert signature == actual, name


def plain_signature(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


# Trees and links


def tree_paths(page: Path) -> Iterator[str]:
    """Paths below src/sightline that the tree of a page names; a line's first words, down by two spaces a level."""
    (block,) = [b for b in blocks(page) if b.lines[0] == "src/sightline/"]
    above: list[str] = []
    for line in block.lines[1:]:
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        words = line.split()
        above = [*above[:depth], words[0]]
        yield "".join(above)
        for word in words[1:]:  # `folder.py table.py: ...`, listed behind their folder or beside each other
            if re.fullmatch(r"\w+\.py[:,]?", word.strip("()")):
                inside = above if words[0].endswith("/") else above[:-1]
                yield "".join(inside) + word.strip("():,")


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_tree_is_the_real_tree(page: str) -> None:
    named = list(tree_paths(PROJECT / page))
    assert len(named) > 20
    assert [path for path in named if not (SOURCE / path).exists()] == []
    folders = {path.rstrip("/") for path in named if path.endswith("/")}
    modules = [path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")]
    homeless = [m for m in modules if m not in named and os.path.dirname(m) not in folders]
    assert homeless == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}, target


def test_the_pictures_are_small() -> None:
    for picture in (PROJECT / "docs/images").glob("*.png"):
        assert 0 < picture.stat().st_size < 300_000


def test_every_augmentation_is_on_its_page_and_says_truly_whether_it_may_change_labels() -> None:
    text = (PROJECT / "docs/augment.md").read_text("utf-8").partition("## All of them")[2]
    documented = dict(re.findall(r"^\| `(\w+)` \|.*\| ([a-z ]+) \|$", text, re.MULTILINE))
    expected = {name: ("no", "yes")[AUGMENTATIONS.get(name).MAY_CHANGE_LABEL] for name in AUGMENTATIONS.names()}
    assert documented == expected | dict.fromkeys(MIXINGS.names(), "it mixes it")
