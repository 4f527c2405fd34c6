"""Every check: what it finds in data made by hand, and that it finds nothing where all is well."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sightline.data.checks import CHECKS, SEVERITIES, Evidence, Finding
from sightline.data.checks._clusters import connected, same_key

from .conftest import MakeEvidence, picture

DOCS = Path(__file__).parents[3] / "docs" / "check.md"
CLEAN = [*("apple",) * 24, *("plum",) * 24]


def find(name: str, evidence: Evidence) -> dict[str, Finding]:
    found = CHECKS.get(name).find(evidence)
    assert len({f.kind for f in found}) == len(found), "tests here expect one finding a kind"
    return {finding.kind: finding for finding in found}


# The contract


@pytest.mark.parametrize("name", CHECKS.names())
def test_every_check_is_documented_and_its_kinds_are_its_own(name: str) -> None:
    module = CHECKS.get(name)
    assert module.__doc__ and module.KINDS
    others = [kind for other in CHECKS.names() if other != name for kind in CHECKS.get(other).KINDS]
    assert not set(module.KINDS) & set(others)
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:error|warning|note) \| (.+) \|$", DOCS.read_text("utf-8"), re.MULTILINE))
    assert {kind: rows[kind][: len(text)] for kind, text in module.KINDS.items()} == module.KINDS


def test_the_page_names_no_other_kind() -> None:
    documented = re.findall(r"^\| `(\w+)` \| (?:error|warning|note) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(kind for name in CHECKS.names() for kind in CHECKS.get(name).KINDS)


@pytest.mark.parametrize("name", CHECKS.names())
@pytest.mark.parametrize("with_split", [True, False])
def test_a_clean_data_set_gives_no_finding(name: str, with_split: bool, make: MakeEvidence) -> None:
    parts = ["train", "train", "train", "test"] * 12
    evidence = make(CLEAN, parts=parts, splits=parts if with_split else None)
    assert CHECKS.get(name).find(evidence) == []


@pytest.mark.parametrize("name", CHECKS.names())
def test_findings_are_of_the_checks_kinds_and_rows_exist(name: str, make: MakeEvidence) -> None:
    """A data set with everything wrong, nothing readable included."""
    blank = np.full((48, 64, 3), 255, np.uint8)
    shown = [picture(0), picture(0), blank, blank // 255, picture(1)[:4], picture(2)]
    for bad in ({}, {f"a/{i}.png": "truncated" for i in range(6)}):
        evidence = make(
            ["a", "b", "a", "a", "b", "b"],
            shown,
            paths=[f"a/{i}.png" for i in range(6)],
            parts=["train", "test", "val", "train", "train", "test"],
            bad=bad,
            num_frames=[1, 2, 1, 1, 1, 1],
            orientation=[1, 1, 6, 1, 1, 1],
            mode=[b"L", *[b"RGB"] * 5],
        )
        for finding in CHECKS.get(name).find(evidence):
            assert finding.kind in CHECKS.get(name).KINDS
            assert finding.severity in SEVERITIES
            assert finding.title[0].isupper() or finding.title[0].isdigit()
            assert all(text.endswith(".") for text in (finding.title, finding.advice))
            assert set(finding.rows) <= set(range(6)) and set(finding.leave_out) <= set(finding.rows)


# Copies


def test_copies_are_told_apart_by_class_and_split(make: MakeEvidence) -> None:
    shown = [picture(i) for i in (0, 0, 1, 1, 2, 2, 3, 3, 4)]
    labels = ["a", "b", "a", "a", "b", "b", "a", "a", "b"]
    own = ["train", "train", "train", "test", "train", "train", "val", "train", "test"]
    found = CHECKS.get("exact").find(make(labels, shown, splits=own, parts=own))
    assert [(f.kind, f.severity, f.groups, f.leave_out) for f in found] == [
        ("contradiction", "error", ((0, 1),), (0, 1)),
        ("leak", "error", ((2, 3),), (2,)),  # the side that trains
        ("leak", "warning", ((6, 7),), (7,)),
        ("duplicate", "warning", ((4, 5),), (5,)),
    ]
    assert found[1].title.startswith("1 test picture of 2 (50.0 %) shows the very pixels of one outside the test")


def test_in_a_split_that_is_drawn_any_copy_but_one_may_go(make: MakeEvidence) -> None:
    shown = [picture(i) for i in (0, 0, 0, 1)]
    evidence = make(["a"] * 4, shown, parts=["train", "test", "val", "test"])
    found = find("exact", evidence)
    assert found["leak"].groups == ((0, 1, 2),) and found["leak"].leave_out == (1, 2)
    assert "training would draw" in found["leak"].title


def test_unreadable_pictures_are_no_copies_of_each_other(make: MakeEvidence) -> None:
    shown = [picture(0)] * 3
    evidence = make(["a"] * 3, shown, bad={"a/x0y.jpg": "x", "a/x1y.jpg": "x"}, parts=["train"] * 3)
    assert evidence.copies == [] and len(evidence.near_pairs) == 0


def saved_again(image: np.ndarray) -> np.ndarray:
    small = Image.fromarray(image).resize((image.shape[1] * 3 // 4, image.shape[0] * 3 // 4), Image.Resampling.LANCZOS)
    return np.asarray(small)


def test_near_copies_likewise_and_exact_ones_are_not_among_them(make: MakeEvidence) -> None:
    large = [picture(i, 120, 160) for i in range(5)]
    shown = [large[0], saved_again(large[0]), large[1], saved_again(large[1]), large[2], saved_again(large[2])]
    shown += [large[3], large[3]]
    labels = ["a", "b", "a", "a", "b", "b", "a", "a"]
    own = ["train", "train", "train", "test", "train", "train", "train", "train"]
    found = find("near", make(labels, shown, splits=own, parts=own))
    assert {kind: f.groups for kind, f in found.items()} == {
        "near_contradiction": ((0, 1),),
        "near_leak": ((2, 3),),
        "near_duplicate": ((4, 5),),
    }
    assert found["near_leak"].leave_out == (2,)
    assert found["near_duplicate"].leave_out == found["near_contradiction"].leave_out == ()


@pytest.mark.parametrize(
    ("labels", "exact", "near"),
    [
        (np.array([0, 1, 0, 1]), "in several classes at once", "one of another class"),
        (np.array([[1, 0], [1, 1], [1, 0], [1, 1]], np.uint8), "with different classes", "one with other classes"),
        (np.array([[1.5], [2.5], [1.5], [2.5]]), "with different numbers", "one with other numbers"),
    ],
)
def test_contradictions_say_what_the_labels_are(labels: np.ndarray, exact: str, near: str, make: MakeEvidence) -> None:
    large = picture(0, 120, 160)
    evidence = make(list("abab"), [picture(1), picture(1), large, saved_again(large)])
    names = ("age",) if labels.dtype == float else ("a", "b")
    evidence = replace(evidence, dataset=replace(evidence.dataset, labels=labels, classes=names))
    assert find("exact", evidence)["contradiction"].title == f"1 picture stands {exact}."
    found = find("near", evidence)["near_contradiction"]
    assert found.title == f"2 pictures look almost like {near}."
    assert ("class" in found.effect) == (labels.dtype != float)


def test_a_column_of_groups_that_is_there_is_not_asked_for(make: MakeEvidence) -> None:
    large = [picture(i, 120, 160) for i in range(2)]
    shown = [large[0], saved_again(large[0]), large[1], saved_again(large[1])]
    for groups, article in ((None, "a"), (["p", "q", "r", "s"], "the")):
        found = find("near", make(["a"] * 4, shown, groups=groups, parts=["train", "test", "train", "train"]))
        for kind in ("near_leak", "near_duplicate"):
            assert f"{article} column `group`" in found[kind].advice.lower()


def test_clusters() -> None:
    assert [c.tolist() for c in same_key(np.array([5, 1, 5, 2, 1, 5]))] == [[0, 2, 5], [1, 4]]
    chain = np.array([*([i, i + 1] for i in reversed(range(50))), (60, 70)])
    assert [c.tolist() for c in connected(chain)] == [list(range(51)), [60, 70]]
    assert connected(np.empty((0, 2), np.int64)) == []


# Single pictures


def test_unreadable_and_too_large(make: MakeEvidence) -> None:
    bad = {"a/x0y.jpg": "empty file (0 bytes)", "a/x1y.jpg": "20000x20000 = 400 megapixels, above the limit of 179"}
    found = find("readable", make(["a"] * 3, bad=bad))
    assert (found["corrupt"].rows, found["corrupt"].remarks) == ([0], ("empty file (0 bytes)",))
    assert found["bomb"].rows == [1] and found["bomb"].leave_out == (1,)


def test_names_and_formats(make: MakeEvidence) -> None:
    paths = ["a.jpg", "b.JPEG", "c.png", "d.jpg", "e.bmp", "f.webp", "g.jpg"]
    formats = [b"JPEG", b"JPEG", b"JPEG", b"MPO", b"DIB", b"WEBP", b""]
    found = find("misnamed", make(["a"] * 7, paths=paths, format=formats))
    assert found["misnamed"].rows == [2]
    assert found["misnamed"].remarks == ("named as PNG, is JPEG",)


def test_frames_but_not_a_telephones_preview(make: MakeEvidence) -> None:
    evidence = make(["a"] * 3, num_frames=[1, 7, 2], format=[b"JPEG", b"GIF", b"MPO"])
    assert find("animated", evidence)["animated"].rows == [1]


def test_light(make: MakeEvidence) -> None:
    shown = [picture(i) for i in range(12)]
    plain = np.full_like(shown[0], 128)
    white = (222 + shown[1] // 8).astype(np.uint8)
    object_on_white = np.full_like(shown[0], 255)
    object_on_white[20:30, 20:30] = 40
    night = np.zeros_like(shown[0])
    night[10:18, 10:18] = 250  # one lamp
    evidence = make(["a"] * 17, [*shown, plain, shown[0] // 10, white, object_on_white, night])
    found = find("exposure", evidence)
    assert {kind: f.rows for kind, f in found.items()} == {"blank": [12], "dark": [13], "overexposed": [14]}
    assert {f.severity for f in found.values()} == {"warning"}


def test_what_most_pictures_are_is_a_note(make: MakeEvidence) -> None:
    found = find("exposure", make(["a"] * 8, [picture(i) // 10 for i in range(8)]))
    assert found["dark"].severity == "note" and "so these data are" in found["dark"].title


def test_blur_beside_the_others(make: MakeEvidence) -> None:
    shown = [picture(i, 128, 128) for i in range(10)]
    blurred = np.asarray(Image.fromarray(shown[3]).filter(ImageFilter.GaussianBlur(3)))
    assert find("sharpness", make(["a"] * 11, [*shown, blurred]))["blurred"].rows == [10]
    assert find("sharpness", make(["a"] * 3, [blurred] * 3)) == {}, "so these data are"


def test_sizes(make: MakeEvidence) -> None:
    height, width = [300] * 8 + [40, 90, 1], [400] * 8 + [50, 900, 1]
    found = find("sizes", make(["a"] * 11, height=height, width=width))
    assert found["tiny"].rows == [8, 10] and found["tiny"].remarks == ("50x40", "1x1")
    assert found["long"].rows == [9]
    assert find("sizes", make(["a"] * 4, height=8, width=8)) == {}, "digits of 8x8 are no thumbnails"


def test_modes_and_depths(make: MakeEvidence) -> None:
    found = find("modes", make(["a"] * 4, mode=[b"RGB", b"L", b"CMYK", b"I;16"], bits=[8, 8, 8, 16]))
    assert found["mixed_modes"].rows == [1, 3] and "2 pictures of 4" in found["mixed_modes"].title
    assert found["mixed_depths"].rows == [3]
    assert find("modes", make(["a"] * 2, mode=b"I;16", bits=16)) == {}


def test_orientations(make: MakeEvidence) -> None:
    found = find("orientation", make(["a"] * 3, orientation=[1, 6, 2]))
    assert found["orientation"].remarks == ("on its side", "mirrored")


# All pictures together


@pytest.mark.parametrize(("large", "severity"), [(79, None), (80, "note"), (200, "warning")])
def test_imbalance(large: int, severity: str | None, make: MakeEvidence) -> None:
    labels = ["a"] * large + ["b"] * 20
    found = find("balance", make(labels, [picture(0, 4, 4)] * len(labels)))
    assert (found["imbalance"].severity if found else None) == severity


def test_small_classes_count_what_can_be_read(make: MakeEvidence) -> None:
    labels = ["a"] * 30 + ["b"] * 20
    evidence = make(labels, [picture(0, 4, 4)] * 50, bad={"b/x49y.jpg": "truncated"})
    assert "'b'" in find("balance", evidence)["few"].title


def test_a_format_that_only_one_class_has(make: MakeEvidence) -> None:
    labels = ["a"] * 30 + ["b"] * 30
    found = find("shortcut", make(labels, [picture(0, 4, 4)] * 60, format=[b"PNG"] * 25 + [b"JPEG"] * 35))
    assert found["shortcut"].rows == list(range(25))
    assert "25 of 30 pictures of 'a'" in found["shortcut"].title and "format PNG" in found["shortcut"].title
    mixed = [b"PNG", b"JPEG"] * 30
    assert find("shortcut", make(labels, [picture(0, 4, 4)] * 60, format=mixed)) == {}


def test_a_data_set_that_training_refuses(make: MakeEvidence) -> None:
    evidence = make(["a", "b"])
    refused = Evidence(evidence.dataset, evidence.records, refusal="too few pictures")
    assert find("splits", refused)["refused"].effect == "too few pictures"


# Series


def tracks(alike: bool) -> tuple[list[str], list[str], list[float]]:
    """60 tracks of 5 pictures in two classes: paths, labels and how light each is."""
    generator = np.random.default_rng(5)
    paths, labels, light = [], [], []
    for track in range(60):
        own = generator.normal(120, 30)
        for i in range(5):
            paths.append(f"images/{track:05d}_{i:05d}.ppm")
            labels.append("stop" if track % 2 else "yield")
            light.append(own + generator.normal(0, 8) if alike else generator.normal(120, 30))
    return paths, labels, light


def dealt(num: int) -> list[str]:
    return np.random.default_rng(1).choice(["train", "test"], num, p=[0.8, 0.2]).tolist()


def test_tracks_are_told_by_name_and_light(make: MakeEvidence) -> None:
    paths, labels, light = tracks(alike=True)
    tiny = [picture(i, 6, 6) for i in range(300)]
    evidence = make(labels, tiny, paths=paths, parts=dealt(300), mean=light, std=light)
    found = find("series", evidence)["group"]
    assert found.severity == "warning" and "300 pictures come in 60 series" in found.title
    assert len(found.groups[0]) == 5 and found.leave_out == ()


def test_names_that_say_nothing_are_no_series(make: MakeEvidence) -> None:
    paths, labels, light = tracks(alike=False)
    tiny = [picture(i, 6, 6) for i in range(300)]
    assert find("series", make(labels, tiny, paths=paths, parts=dealt(300), mean=light, std=light)) == {}


def test_exposures_within_seconds_are_one_series(make: MakeEvidence) -> None:
    taken = [1000, 5000, 1004, 0, 0, 9000, 1012]
    evidence = make(["a"] * 7, taken_s=taken, parts=["train", "train", "test", "train", "test", "train", "val"])
    assert find("series", evidence)["group"].groups == ((0, 2, 6),)


def test_a_clock_that_stands_is_no_series(make: MakeEvidence) -> None:
    evidence = make(["a"] * 60, [picture(0, 4, 4)] * 60, taken_s=1000, parts=dealt(60))
    assert find("series", evidence) == {}


def test_bursts_are_neighbours_that_look_alike(make: MakeEvidence) -> None:
    shown, paths = [], []
    generator = np.random.default_rng(0)
    for scene in range(10):
        for frame in range(3):
            noisy = picture(scene, 96, 128) + generator.normal(0, 3, (96, 128, 3))
            shown.append(noisy.clip(0, 255).astype(np.uint8))
            paths.append(f"a/IMG_{1000 + 3 * scene + frame}.jpg")
    parts = ["train", "train", "test"] * 10
    assert len(find("series", make(["a"] * 30, shown, paths=paths, parts=parts))["group"].groups) == 10
    order = np.random.default_rng(2).permutation(30)
    mixed = make(["a"] * 30, [shown[i] for i in order], paths=paths, parts=[parts[i] for i in order])
    assert find("series", mixed) == {}, "alike, but not by number"


def test_known_groups_say_what_they_save(make: MakeEvidence) -> None:
    labels, groups = ["a", "b"] * 40, [f"pole {i // 4}" for i in range(80)]
    tiny = [picture(i, 6, 6) for i in range(80)]
    found = find("series", make(labels, tiny, groups=groups, parts=dealt(80)))["group"]
    assert found.severity == "note" and "The 20 groups are kept whole" in found.title
    assert "12 of 12 test pictures (100.0 %)" in found.title
