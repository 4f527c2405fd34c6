"""The command line in this process, and one small trained run for all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from sightline.cli import main

from . import cases


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Sightline = Callable[..., Result]


@pytest.fixture
def sightline(capsys: pytest.CaptureFixture[str]) -> Sightline:
    """`sightline("train", "data")`: exit code, standard output and standard error."""

    def run(*words: object) -> Result:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # argparse's way out
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `fruit`, and `run`, which was trained on it."""
    home = tmp_path_factory.mktemp("home")
    cases.fruit(home / "fruit")
    assert main(["train", str(home / "fruit"), "--out", str(home / "run"), *cases.QUICK]) == 0
    return home


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An empty folder beside `run`, in which the command is started."""
    place = home / f"place-{abs(hash(request.node.name))}"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower with more, above all beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
