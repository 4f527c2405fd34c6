"""Recipes: defaults from the data, changes by file, --set and flags, mistakes named."""

from dataclasses import replace
from pathlib import Path

import pytest

from sightline import config
from sightline.data.reading.scan import Survey
from sightline.errors import ConfigError
from sightline.models.weights_file import Weights
from sightline.training.optimise import rate_factor
from sightline.training.recipe import Recipe
from sightline.training.recipes import RECIPES, Seen, choose
from sightline.training.resolve import resolve, settings_of

DIGITS = Survey(28, 28, True, True, (0.13,), (0.31,))
PHOTOS = Survey(300, 400, False, False, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
SIGNS = Survey(45, 47, False, False, (0.3, 0.3, 0.3), (0.2, 0.2, 0.2))


def test_small_pictures_keep_their_size() -> None:
    what = resolve({}, DIGITS, 55_000, None)
    assert what.recipe.model == "whitened_cnn"
    assert (what.preprocessing.height, what.preprocessing.width, what.preprocessing.channels) == (28, 28, 1)
    assert what.preprocessing.mean == (0.13,)


def test_small_pictures_of_many_sizes_meet_in_the_middle() -> None:
    assert resolve({}, SIGNS, 1000, None).preprocessing.height == 46


PHOTOGRAPHS = Survey(480, 640, False, False, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({}, (64, 80, 96, 112)),
        ({"size": 224}, (112, 144, 168, 192)),
        ({"size": 32}, (16, 16, 24, 32)),
        ({"size": 0}, (112, 144, 168, 192)),
        ({"size": 224, "sizes": [96, 128]}, (96, 128)),
        ({"sizes": []}, ()),
        ({"model": "googlenet"}, (64, 80, 96, 112)),
    ],
)
def test_small_frames_first_whatever_the_size(settings: dict[str, object], sizes: tuple[int, ...]) -> None:
    assert resolve(settings, PHOTOGRAPHS, 1000, None).recipe.sizes == sizes
    size = {key: value for key, value in settings.items() if key == "size"}
    assert resolve(size, PHOTOGRAPHS, 1000, None, "number").recipe.sizes == ()


@pytest.mark.parametrize("survey", [DIGITS, SIGNS, PHOTOGRAPHS])
def test_what_muon_does_not_suit_is_trained_by_sgd(survey: Survey) -> None:
    """It would hold the norm of filters that no normalisation follows."""
    muon = resolve({"model": "googlenet"}, survey, 1000, None).recipe
    assert (muon.optimizer, muon.learning_rate, muon.momentum) == ("muon", 0.1, 0.6)
    plain = resolve({"model": "vgg11"}, survey, 1000, None, suits_muon=False).recipe
    assert (plain.optimizer, plain.momentum, plain.sizes) == ("sgd", 0.9, ())
    assert resolve({}, survey, 1000, None, suits_muon=False).recipe == resolve({}, survey, 1000, None).recipe


def test_photographs_get_a_resnet() -> None:
    what = resolve({}, PHOTOS, 800, None)
    assert what.recipe.model == "resnet18"
    assert what.preprocessing.channels == 3


def test_fewer_pictures_are_seen_more_often() -> None:
    few, many = (choose(Seen(DIGITS, n)).recipe.epochs for n in (1000, 50_000))
    assert few > many


@pytest.mark.parametrize("survey", [DIGITS, replace(DIGITS, alike=0.9), PHOTOS, SIGNS, replace(SIGNS, alike=0.9)])
@pytest.mark.parametrize("model", [None, "whitened_cnn", "simple_cnn", "lenet5", "resnet18"])
@pytest.mark.parametrize("pretrained", [None, ("resnet18", "W")])
@pytest.mark.parametrize("suits_muon", [True, False])
def test_one_recipe_fits(
    survey: Survey, model: str | None, pretrained: tuple[str, str] | None, suits_muon: bool
) -> None:
    for num_train in (1, 1000, 10**7):
        seen = Seen(survey, num_train, model, pretrained, suits_muon=suits_muon)
        assert [RECIPES.get(name).fits(seen) for name in RECIPES.names()].count(True) == 1
        assert choose(seen).recipe.epochs >= (0 if pretrained else 1)


def test_pictures_that_look_alike_take_a_lighter_network() -> None:
    grey, colour = (resolve({}, replace(look, alike=0.9), 55_000, None) for look in (DIGITS, SIGNS))
    assert (grey.model_options, grey.recipe.epochs) == ({"width": 16, "depth": 1, "stride": 2}, 1)
    assert (colour.model_options, colour.recipe.epochs) == ({}, 9)
    assert resolve({}, replace(DIGITS, alike=0.75), 55_000, None).model_options == {}


@pytest.mark.parametrize("in_mirror", [True, False])
def test_few_small_pictures_are_changed_more(in_mirror: bool) -> None:
    few, many = (resolve({}, replace(SIGNS, in_mirror=in_mirror), n, None).recipe for n in (500, 50_000))
    assert (few.epochs, few.augment[-1]) == (200, "autoaugment_cifar")
    assert ("flip" in few.augment, "flip" in few.augment_if_safe) == (in_mirror, not in_mirror)
    assert "autoaugment_cifar" not in many.augment and many.augment_if_safe == ("flip",)


def test_a_long_budget_takes_the_larger_network() -> None:
    look = replace(DIGITS, alike=0.9)
    short, long, few = (resolve({}, look, n, None, minutes=m) for m, n in ((1.0, 55_000), (3.0, 55_000), (3.0, 500)))
    assert (short.model_options["width"], long.model_options) == (16, {})
    assert "autoaugment_cifar" not in few.recipe.augment


def test_a_named_model_averages_over_no_views() -> None:
    for survey in (DIGITS, replace(DIGITS, alike=0.9), SIGNS):
        what = resolve({"model": "lenet5"}, survey, 1000, None)
        assert (what.recipe.model, what.recipe.tta) == ("lenet5", ())


def test_numbers_are_not_averaged_over_shifts() -> None:
    assert resolve({}, DIGITS, 1000, None).recipe.tta == ("flip", "shift")
    assert resolve({}, DIGITS, 1000, None, "number").recipe.tta == ()


def test_a_named_model_takes_only_its_own_options() -> None:
    assert resolve({"model": "lenet5"}, DIGITS, 1000, None).model_options == {}
    options = resolve({"model": "simple_cnn", "model.width": 8}, DIGITS, 1000, None).model_options
    assert options["width"] == 8 and options["norm"] == "batch"


def test_flags_win_over_set_and_set_over_the_file() -> None:
    file = {"epochs": 1, "batch_size": 2, "momentum": 0.5, "model_options": {"width": 4}}
    found = settings_of(file, ["epochs=3", "batch_size=4", "model.depth=2"], {"epochs": 5, "model": None})
    assert found == {"epochs": 5, "batch_size": 4, "momentum": 0.5, "model.width": 4, "model.depth": 2}


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("learnin_rate=0.1", "Did you mean learning_rate"),
        ("optimizer=sdg", "Did you mean sgd"),
        ("batch_size=1.5", "not a whole number"),
        ("epochs=-1", "must lie between"),
        ("learning_rate=nan", "must lie between"),
        ("augment=['flipp']", "Did you mean flip"),
        ("augment=['mixip']", "Did you mean mixup"),
        ("augment_if_safe=['flip', 'cutmix']", "cutmix mixes the labels along with the pictures.*name it in augment"),
        ("epochs", "key=value"),
        ("size=5000", "must lie between"),
    ],
)
def test_mistakes_are_named(pair: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(settings_of({}, [pair], {}), DIGITS, 1000, None)


def test_a_recipe_survives_its_toml(tmp_path: Path) -> None:
    recipe = Recipe(model="lenet5", augment=("flip", "pad_crop"), learning_rate=0.025, weight_decay=1e-7)
    (tmp_path / "r.toml").write_text(config.to_toml(recipe, "a comment\nof two lines"))
    assert config.build(Recipe, config.read_toml(tmp_path / "r.toml"), "r.toml") == recipe


def test_schedules_at_their_corners() -> None:
    one_cycle, cosine = Recipe(warmup=0.25), Recipe(warmup=0.25, schedule="cosine")
    assert rate_factor(one_cycle, 0.125) == pytest.approx(0.5)
    assert rate_factor(one_cycle, 0.25) == pytest.approx(1.0)
    assert rate_factor(one_cycle, 0.625) == pytest.approx(0.5)
    assert rate_factor(cosine, 0.625) == pytest.approx(0.5)
    assert rate_factor(cosine, 0.4375) == pytest.approx(0.5 * (1 + 2**-0.5))
    assert rate_factor(Recipe(warmup=0.0), 0.0) == 1.0


def pretrained(task: str, **settings: object) -> Recipe:
    weights = Weights("resnet18", {}, {"input_size": (3, 224, 224)})
    return resolve({"weights": "resnet18", "epochs": 5, **settings}, PHOTOGRAPHS, 1000, weights, task).recipe


def test_of_numbers_a_whole_network_that_is_fine_tuned_crops_nothing_unproven() -> None:
    found = pretrained("number", unfreeze="all")
    assert found.augment == () and "resized_crop" in found.augment_if_safe
    assert pretrained("single", unfreeze="all").augment == ("resized_crop",)


def test_the_last_stages_that_are_asked_for_stay_so() -> None:
    plain = pretrained("single")
    assert plain.unfreeze == "top"
    assert pretrained("single", unfreeze="top", augment_if_safe=list(plain.augment_if_safe)) == plain
    assert pretrained("single", teacher="none").unfreeze == "top"
    assert pretrained("single", augment=["flip"]).unfreeze == "all"
