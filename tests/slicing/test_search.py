"""The worst slices: what is planted is found, and where there is nothing one search in twenty finds something."""

import tracemalloc

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.metrics._interval import wilson
from sightline.slicing import chance, find_slices
from sightline.slicing.chance import against_chance, equal_by_chance
from sightline.slicing.parts import Parts, all_parts
from sightline.slicing.score import Scores, scores_of
from sightline.slicing.search import candidates

from .making import answered


def drawn(generator: np.random.Generator, num: int) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """Columns and looks that have nothing to do with anything."""
    columns = {name: generator.choice(list("uvw"), num).tolist() for name in ("camera", "place")}
    return columns, {"mean": generator.normal(100, 20, num), "std": generator.normal(50, 5, num)}


def test_columns_that_tell_every_picture_apart_cost_no_memory() -> None:
    """Their pairs would take a number for each pair of values: 7 GB."""
    num = 30_000
    parts = [Parts(name, tuple(map(str, range(num))), order) for name, order in
             (("time", np.arange(num)), ("file", np.random.default_rng(0).permutation(num)))]  # fmt: skip
    site = Parts("site", ("x", "y"), np.arange(num) % 2)
    tracemalloc.start()
    terms, _ = candidates([*parts, site], num)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert terms == [(("site", "x"),), (("site", "y"),)] and peak < 1e8


def test_a_planted_pair_is_found_and_its_figures_are_right() -> None:
    generator = np.random.default_rng(0)
    columns, looks = drawn(generator, 1000)
    bad = (np.array(columns["camera"]) == "u") & (looks["mean"] < 90)
    wrong = generator.random(1000) < np.where(bad, 0.5, 0.05)
    found = find_slices(answered(wrong, columns, **looks))
    first = found.worst[0]
    assert first.stands_out and ("camera", "u") in first.terms and len(first.terms) == 2
    assert dict(first.terms)["brightness"].startswith("under")
    inside = first.members
    hits, count = int((~wrong[inside]).sum()), int(inside.sum())
    assert first.inside.count == count and first.inside.value == hits / count
    assert first.inside.interval == wilson(hits, count)
    assert first.rest == pytest.approx((~wrong[~inside]).mean())
    assert found.num == 1000 and found.num_mistakes == wrong.sum()
    # Each slice that follows has mistakes of its own.
    told = np.zeros(1000, bool)
    for one in sorted(found.worst, key=lambda one: one.corrected):
        assert (wrong & one.members & told).sum() <= max(0.5 * (wrong & one.members).sum(), 0) or one.stands_out
        told |= one.members


def test_the_worst_part_of_a_slice_stands_beside_it() -> None:
    """All of camera u is bad; its dark pictures are far worse than its others."""
    generator = np.random.default_rng(1)
    columns, looks = drawn(generator, 2000)
    u, dark = np.array(columns["camera"]) == "u", looks["mean"] < np.quantile(looks["mean"], 0.25)
    wrong = generator.random(2000) < np.where(u, np.where(dark, 0.9, 0.3), 0.02)
    names = [
        tuple(name for name, _ in one.terms) for one in find_slices(answered(wrong, columns, **looks)).standing_out
    ]
    assert names[0] == ("camera", "brightness") and ("camera",) in names
    even = generator.random(2000) < np.where(u, 0.4, 0.02)
    assert [one.terms for one in find_slices(answered(even, columns, **looks)).standing_out] == [(("camera", "u"),)]


@pytest.mark.parametrize("kind", ["rates", "few mistakes", "errors", "groups"])
def test_without_a_difference_one_search_in_twenty_finds_something(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "NUM_DRAWS", 200)
    generator, alarms, num_searches, num = np.random.default_rng(7), 0, 200, 240
    for _ in range(num_searches):
        columns, looks = drawn(generator, num)
        groups = np.arange(num) // 4 if kind == "groups" else None
        bad = (generator.random(num) < (0.03 if kind == "few mistakes" else 0.2)).astype(float)
        if kind == "errors":
            bad = generator.lognormal(size=num)
        if kind == "groups":  # all or none of a group, and all of a group look alike
            bad = np.repeat(bad[: num // 4], 4)
            columns = {name: np.repeat(cells[: num // 4], 4).tolist() for name, cells in columns.items()}
        _, members = candidates(all_parts(answered(bad > 0, columns, **looks)), num)
        assert len(members) > 20
        alarms += against_chance(members, Scores("", bad, kind != "errors", groups)).corrected.min() <= 0.05
    # 10 of 200 are expected, of which 19 are three standard deviations off.
    assert alarms <= 19
    assert alarms >= 2 or kind == "groups"  # signs at random are on the safe side


def test_groups_that_move_together_are_not_taken_for_many_pictures() -> None:
    """Twelve patients, two of them wrong throughout: by pictures a certainty, by patients two of four against none."""
    groups = np.arange(240) // 20
    columns = {"site": np.where(groups < 4, "x", "y").tolist()}
    wrong = np.isin(groups, (0, 1))
    alone = find_slices(answered(wrong, columns))
    together = find_slices(answered(wrong, columns, groups=groups))
    assert alone.worst[0].terms == (("site", "x"),) and alone.worst[0].corrected < 0.01
    assert ("site", "x") in together.worst[0].terms and not together.standing_out
    assert "group" not in together.attributes


def test_the_deviance_of_a_table_by_hand() -> None:
    """10 of 20 wrong inside, 5 of 80 outside: 2 * sum of observed * log(observed / expected)."""
    observed, expected = np.array([10, 10, 5, 75]), np.array([3, 17, 12, 68])
    deviance = 2 * (observed * np.log(observed / expected)).sum()
    bad = np.zeros(100)
    bad[:10] = bad[20:25] = 1
    members = np.array([np.arange(100) < 20, np.arange(100) >= 20])
    found = against_chance(members, Scores("", bad, True))
    assert found.deviations == pytest.approx([np.sqrt(deviance), -np.sqrt(deviance)])
    assert found.alone[0] == found.corrected[0] == 1 / (1 + found.num_draws)
    assert found.alone[1] == found.corrected[1] == 1


def test_parts_that_differ_are_told_from_equal_ones() -> None:
    members = np.arange(3)[:, None] == np.arange(300) % 3
    bad = (np.arange(300) % 7 == 0).astype(float)
    assert equal_by_chance(members, Scores("", bad, True)) > 0.3
    bad[members[1]] = np.arange(100) % 2
    assert equal_by_chance(members, Scores("", bad, True)) < 0.01
    assert equal_by_chance(members, Scores("", bad, True, np.arange(300) // 3)) < 0.01


def test_a_pair_that_is_one_of_its_values_is_no_slice_of_its_own() -> None:
    columns = {"one": ["u"] * 50 + ["v"] * 50, "other": ["p"] * 75 + ["q"] * 25}
    found = all_parts(answered(np.zeros(100, bool), columns, labels=np.arange(100) % 2))
    terms, members = candidates([parts for parts in found if parts.name != "truth"], 100)
    # v and p are pictures of both; u and p are u, v and q are q.
    assert sorted(terms) == [
        (("one", "u"),), (("one", "v"),), (("one", "v"), ("other", "p")), (("other", "p"),), (("other", "q"),),
    ]  # fmt: skip
    assert members[terms.index((("one", "v"), ("other", "p")))].nonzero()[0].tolist() == list(range(50, 75))


def test_nothing_to_find() -> None:
    with pytest.raises(DataError, match="39 pictures are too few to look for slices in; at least 40"):
        find_slices(answered(np.zeros(39, bool)))
    columns = {"id": [f"i{i}" for i in range(60)], "kind": list("xyz") * 20}
    none = find_slices(answered(np.zeros(60, bool), columns))
    assert none.worst == () and none.num_mistakes == 0 and none.num_looked > 0
    assert none.too_many == (("id", 60),) and none.attributes == ("kind", "truth")


def test_scores_of_several_classes_and_of_numbers() -> None:
    import dataclasses

    base = answered(np.zeros(2, bool))
    several = dataclasses.replace(
        base, labels=np.array([[1, 0], [1, 1]], np.uint8), decided=np.array([[1, 0], [0, 1]], np.uint8)
    )
    assert scores_of(several).bad.tolist() == [0, 1] and scores_of(several).name == "exact match"
    one = dataclasses.replace(base, labels=np.array([[1.0], [5.0]]), decided=np.array([[1.5], [3.0]]))
    assert scores_of(one).bad.tolist() == [0.5, 2.0] and not scores_of(one).is_rate
    # Of two numbers each error is in that number's mean absolute deviation, 2 and 10.
    two = dataclasses.replace(base, labels=np.array([[1.0, 0], [5, 20]]), decided=np.array([[2.0, 10], [5, 20]]))
    assert scores_of(two).bad.tolist() == [(0.5 + 1.0) / 2, 0.0]
