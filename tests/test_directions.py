"""Who may import whom: the directions of docs/architecture.md, read from the imports themselves."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "sightline"
BASE = {"errors", "config", "registry", "memory", "machine"}
EVALUATION = {"metrics", "evaluation", "slicing", "report"}
# What a room may import besides itself and `errors`; `__init__` is the version and the lazy names.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "config": set(),
    "registry": set(),
    "memory": set(),
    "machine": set(),
    "data": BASE,
    "models": BASE,
    "decision": {*BASE, "data"},
    "run": {*BASE, "data"},
    "artefact": {*BASE, "data", "run", "__init__"},
    "engines": {*BASE, "data", "models", "run", "artefact", "decision"},
    "predictor": {*BASE, "data", "run", "artefact", "decision", "engines"},
}
for name in EVALUATION:
    ALLOWED[name] = {*ALLOWED["predictor"], "predictor", *EVALUATION}
ALLOWED["explainers"] = {*BASE, "data"}
ALLOWED["explaining"] = {*ALLOWED["evaluation"], "explainers", "__init__"}
ALLOWED["exporters"] = {*BASE, "data", "run", "artefact", "decision", "engines", "models"}
ALLOWED["exporting"] = {*ALLOWED["evaluation"], "exporters", "__init__"}
ALLOWED["benchmarking"] = {*ALLOWED["exporting"], "exporting"}
ALLOWED["bulk"] = {*ALLOWED["evaluation"], "__init__"}
ALLOWED["video"] = ALLOWED["evaluation"]
ALLOWED["comparing"] = ALLOWED["evaluation"]
ALLOWED["robustness"] = {*ALLOWED["evaluation"], "__init__"}
ALLOWED["checking"] = {*ALLOWED["evaluation"], "__init__"}
ALLOWED["training"] = {*ALLOWED["checking"], "checking", "comparing", "models", "explainers", "explaining"}
ALLOWED["labelling"] = {*ALLOWED["training"], "training"}
ALLOWED["growth"] = {*ALLOWED["training"], "training", "__init__"}
ALLOWED["classifier"] = {*ALLOWED["training"], "training", "explaining"}
ALLOWED["loading"] = {"artefact", "predictor", "classifier"}
ALLOWED["__init__"] = set()  # its names are texts, imported when asked for
ALLOWED["__main__"] = {"cli"}
ALLOWED["cli"] = {
    *ALLOWED["classifier"], "classifier", "benchmarking", "bulk", "comparing", "explaining", "exporting",
    "growth", "labelling", "robustness", "video",
}  # fmt: skip
# Slow to import, or not always installed.
INSIDE_FUNCTIONS = {
    "torchvision", "timm", "matplotlib", "sklearn", "pyarrow", "tensorboard",
    "fsspec", "aiohttp", "pydicom", "imagecodecs", "nibabel", "openvino", "optuna",
    "onnx", "onnxruntime", "nncf", "ai_edge_litert", "ai_edge_quantizer", "litert_torch", "av", "ray",
    "torch_pruning",
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """`module` (dotted) imports `target` (dotted), at line `line`; `late`: inside a function."""

    module: str
    target: str
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: {self.target}"


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for path in sorted(SOURCE.rglob("*.py")) for found in _imports_of(path))


def _imports_of(path: Path) -> Iterator[Import]:
    name = ".".join(["sightline", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
    yield from _walk(ast.parse(path.read_text("utf-8")), name, late=False)


def _walk(node: ast.AST, module: str, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(module, alias.name, child.lineno, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"{module}, line {child.lineno}: relative import"
            yield from (Import(module, f"{child.module}.{a.name}", child.lineno, late) for a in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from _walk(ast.Module(child.orelse, []), module, late)
        else:
            yield from _walk(child, module, late or isinstance(child, ast.FunctionDef | ast.Lambda))


def room(name: str) -> str:
    """`sightline.data.split` -> `data`; `sightline.__version__` -> `__init__`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "__init__"


ROOMS = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


def is_ours(name: str) -> bool:
    return name.split(".")[0] == "sightline"


def test_every_room_has_its_place() -> None:
    assert set(ALLOWED) == ROOMS
    assert len(imports()) > 300


def test_rooms_import_only_what_stands_to_their_left() -> None:
    wrong = [
        str(i)
        for i in imports()
        if is_ours(i.target) and room(i.target) not in {room(i.module), "errors", *ALLOWED[room(i.module)]}
    ]
    assert wrong == []


def test_the_predictor_reaches_an_engine_only_when_a_run_is_opened() -> None:
    wrong = [str(i) for i in imports() if room(i.module) == "predictor" and "engines" in i.target and not i.late]
    assert wrong == []


def test_commands_import_inside_functions_only() -> None:
    light = ("sightline.errors", "sightline.registry", "sightline.cli")
    wrong = [
        str(i)
        for i in imports()
        if room(i.module) == "cli" and is_ours(i.target) and not i.late and not i.target.startswith(light)
    ]
    assert wrong == []


def test_packages_that_are_slow_or_optional_are_imported_inside_functions() -> None:
    assert [str(i) for i in imports() if i.target.split(".")[0] in INSIDE_FUNCTIONS and not i.late] == []


def test_torch_is_not_known_where_it_must_not_be() -> None:
    without = {
        "errors",
        "config",
        "registry",
        "run",
        "decision",
        "predictor",
        "metrics",
        "evaluation",
        "slicing",
        "explainers",
        "explaining",
        "report",
        "checking",
    }
    files = {f"sightline.data.{n}" for n in ("decode", "preprocess", "dataset", "split", "scan", "store", "archive")}
    files |= {f"sightline.growth.{n}" for n in ("power_law", "forecast", "figures", "words", "page")}
    files |= {f"sightline.labelling.{n}" for n in ("confident", "accuracy", "suspects")}
    wrong = [
        str(i)
        for i in imports()
        if i.target.split(".")[0] == "torch" and (room(i.module) in without or i.module in files)
    ]
    assert wrong == []


WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "timm", "sklearn", "matplotlib"):
    sys.modules[name] = None
import io
import numpy as np
from PIL import Image
from sightline import open_dataset
from sightline.data.decode import decode
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan, survey
from sightline.data.split import split
from sightline.decision import Decision

buffer = io.BytesIO()
Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(buffer, "PNG")
frame = Preprocessing(height=16, width=16)
assert frame.apply(decode(buffer.getvalue())).shape == (16, 16, 3)
dataset = open_dataset(sys.argv[1])
parts = split(dataset)
assert survey(dataset, parts.rows("train")).grey is False
assert not scan(dataset, frame).bad
assert Decision().probabilities(np.zeros((1, 2), np.float32)).tolist() == [[0.5, 0.5]]
import sightline.evaluation.evaluate, sightline.metrics, sightline.report, sightline.run
assert sightline.check(sys.argv[1]).findings
print("done")
"""


def test_data_and_decisions_work_without_torch(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(4):
            Image.fromarray(np.full((20, 30, 3), 10 * i, np.uint8)).save(tmp_path / label / f"{i}.png")
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch", [("torch", False)]),
        ("def f():\n    from timm import data", [("timm.data", True)]),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import numpy", [("numpy", False)]),
        ("try:\n    import torch\nexcept ImportError:\n    pass", [("torch", False)]),
    ],
)
def test_the_reader_of_imports(code: str, expected: list[tuple[str, bool]]) -> None:
    assert [(i.target, i.late) for i in _walk(ast.parse(code), "m", late=False)] == expected
