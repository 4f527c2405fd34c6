"""The public surface: eighteen names and a version, imported when first used, each with a docstring."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sightline

SOURCE = Path(sightline.__file__).parent
NAMES = [name for name in sightline.__all__ if name != "__version__"]


def test_the_names_are_these() -> None:
    names = [
        "Classifier", "Options", "Predictor", "Regressor", "check", "compare", "explain", "export", "find_rates",
        "find_wrong_labels", "learning_curve", "load", "open_dataset", "resume", "resume_tune", "train", "tune",
        "verify", "watch",
    ]  # fmt: skip
    assert sorted(NAMES) == names
    assert sightline.__version__.count(".") == 2


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Clasifier"):
        sightline.Clasifier  # noqa: B018  # the access is what is tested


def test_importing_sightline_imports_next_to_nothing() -> None:
    code = "import sys, sightline; print(*{'numpy', 'torch', 'PIL', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_resolves_and_says_what_it_is(name: str) -> None:
    thing = getattr(sightline, name)
    assert thing.__module__.startswith("sightline.")
    assert is_documented(thing), name
    if inspect.isclass(thing):
        methods = {key: value for key, value in vars(thing).items() if is_public_method(key, value)}
        assert [key for key, value in methods.items() if not is_documented(value)] == []


def is_public_method(name: str, value: object) -> bool:
    return not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, staticmethod | classmethod))


def is_documented(thing: object) -> bool:
    text = inspect.getdoc(thing) or ""
    # A dataclass without a docstring is given its own signature as one.
    return bool(text) and not text.startswith(f"{getattr(thing, '__name__', '')}(")


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_a_module_opens_with_what_it_is_for(path: Path) -> None:
    module = ast.parse(path.read_text("utf-8"))
    assert not module.body or ast.get_docstring(module)
