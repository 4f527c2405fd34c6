"""Learning from the answers of another run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.classifier import from_arrays
from sightline.engines.torch import open_run
from sightline.errors import ConfigError, RunError
from sightline.run import Run
from sightline.training.objectives import number
from sightline.training.objectives.multi import BinaryCrossEntropies
from sightline.training.objectives.single import CrossEntropy
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.teacher import Teacher
from sightline.training.train import train

from .test_train import FAST, bars

pytestmark = pytest.mark.usefixtures("default_plan")


@pytest.fixture(scope="module")
def taught_by(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Path:
    return train(from_arrays(*bars(300)), FAST | {"epochs": 6}, Options(out=tmp_path_factory.mktemp("t") / "run")).path


def test_it_answers_raw_pictures_as_the_run_does(taught_by: Path) -> None:
    pictures, _ = bars(8, seed=3)
    teacher = Teacher.of(str(taught_by), ("standing", "lying"), "single")
    expected = open_run(Run.open(taught_by)).answer(pictures[..., None])
    found = teacher.answers(torch.from_numpy(pictures)[:, None])
    torch.testing.assert_close(found, torch.from_numpy(expected[:, ::-1].copy()), rtol=1e-3, atol=1e-3)
    colour = teacher.answers(torch.from_numpy(pictures)[:, None].expand(-1, 3, -1, -1).float())
    torch.testing.assert_close(colour, found, rtol=1e-3, atol=1e-3)
    larger = torch.nn.functional.interpolate(torch.from_numpy(pictures)[:, None].float(), scale_factor=2)
    assert torch.equal(teacher.answers(larger).argmax(1), found.argmax(1))


def test_wrong_labels_are_outweighed(taught_by: Path, tmp_path: Path) -> None:
    """A third of the labels is wrong: who listens to the teacher knows better."""
    pictures, labels = bars(240, seed=1)
    truth = np.array(labels)
    wrong = np.random.default_rng(0).random(len(labels)) < 0.35
    noisy = np.where(wrong, np.where(truth == "lying", "standing", "lying"), truth)
    new, right = bars(400, seed=2)
    shares = []
    for teacher in (None, str(taught_by)):
        out = tmp_path / ("alone" if teacher is None else "taught")
        settings = FAST | {"epochs": 6, "learning_rate": 0.05} | ({} if teacher is None else {"teacher": teacher})
        run = train(from_arrays(pictures, noisy.tolist()), settings, Options(out=out))
        answers = open_run(run).answer(new[..., None]).argmax(1)
        shares.append((np.array(run.config.classes)[answers] == np.array(right)).mean())
    assert shares[1] > 0.9 and shares[1] > shares[0] + 0.03
    assert json.loads((tmp_path / "taught" / "metrics.json").read_text())["accuracy"] is not None
    assert f'teacher = "{taught_by}"' in (tmp_path / "taught" / "recipe.toml").read_text()


@pytest.mark.parametrize("objective", [CrossEntropy(torch.ones(3), smoothing=0.1), BinaryCrossEntropies(torch.ones(3))])
def test_nothing_is_better_than_the_teachers_own_answers(objective: CrossEntropy | BinaryCrossEntropies) -> None:
    torch.manual_seed(0)
    taught = torch.randn(5, 3)
    logits = taught.clone().requires_grad_()
    loss = objective.distilled(logits, taught)
    loss.backward()
    assert logits.grad is not None and logits.grad.abs().max() < 1e-6
    assert objective.distilled(taught + torch.randn(5, 3), taught) > loss


def test_numbers_are_taught_in_the_users_units() -> None:
    objective = number.build(np.array([[10.0], [30.0]]), 1, Recipe(label_smoothing=0.0))  # mean 20, deviation 10
    assert objective.distilled(torch.tensor([[0.5]]), torch.tensor([[25.0]])).item() == 0


def test_what_cannot_teach_is_refused(taught_by: Path, tmp_path: Path) -> None:
    pictures, labels = bars(60, seed=6)
    others = from_arrays(pictures, ["cross" if label == "lying" else label for label in labels])
    with pytest.raises(ConfigError, match="it does not know 'cross', but 'lying', 'standing'"):
        train(others, FAST | {"teacher": str(taught_by)}, Options(out=tmp_path / "others"))
    settings = FAST | {"teacher": str(taught_by), "label_smoothing": 0.0}
    with pytest.raises(ConfigError, match="trained for another task"):
        train(from_arrays(pictures, np.arange(60.0)[:, None]), settings, Options(out=tmp_path / "numbers"))
    with pytest.raises(RunError):
        train(from_arrays(pictures, labels), FAST | {"teacher": "nowhere"}, Options(out=tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="with epochs = 0 the head alone is fitted"):
        train(from_arrays(pictures, labels), {"weights": str(taught_by), "teacher": str(taught_by)},
              Options(out=tmp_path / "head"))  # fmt: skip
    with pytest.raises(ConfigError, match="take unfreeze = all"):
        Recipe(weights="w", unfreeze="top", teacher="t")
