"""Checking whole data sets: every planted fault is found, none is invented, no file is touched; all kinds of data."""

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightline
from planted import NUM_A_CLASS, clean, first, photograph, planted
from sightline.checking import Checked, kind_names
from sightline.data.exclude import read_list, without_listed
from sightline.errors import ConfigError, DataError


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def sets(checked: Checked) -> dict[str, set[frozenset[str]]]:
    """What was found: kind -> sets of paths."""
    found: dict[str, set[frozenset[str]]] = {}
    for finding in checked.findings:
        for group in finding.groups:
            found.setdefault(finding.kind, set()).add(frozenset(checked.dataset.paths[row] for row in group))
    return found


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[frozenset[str]]], Checked]:
    root = tmp_path_factory.mktemp("faulty") / "data"
    expected = planted(root)
    before = tree(root)
    checked = sightline.check(root)
    assert tree(root) == before
    return root, expected, checked


def test_every_planted_fault_is_found_and_none_invented(
    faulty: tuple[Path, dict[str, set[frozenset[str]]], Checked],
) -> None:
    _, expected, checked = faulty
    assert sets(checked) == expected
    not_planted = {"group", "shortcut", "imbalance", "few", "refused", "look_alikes"}
    assert set(expected) == set(kind_names()) - not_planted


def test_findings_stand_worst_first(faulty: tuple[Path, dict[str, set[frozenset[str]]], Checked]) -> None:
    severities = [finding.severity for finding in faulty[2].findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    assert {f.kind for f in faulty[2].of_kind(["leak", "bomb"])} == {"leak", "bomb"}
    with pytest.raises(ConfigError, match="Did you mean leak"):
        faulty[2].of_kind(["leek"])


def test_what_is_left_out(faulty: tuple[Path, dict[str, set[frozenset[str]]], Checked]) -> None:
    root, _, checked = faulty
    train = root / "train"
    names = [first(train / "boat", i).relative_to(root).as_posix() for i in range(6)]
    assert checked.left_out() == {
        names[2]: "leak: as test/boat/leaked.png",
        names[3]: "contradiction: as train/car/odd.jpg",
        names[5]: "near_leak: as test/boat/smaller.jpg",
        "train/boat/cut.jpg": "corrupt: truncated: it ends early, after 3,000 bytes",
        "train/boat/empty.jpg": "corrupt: empty file (0 bytes)",
        "train/boat/huge.jpg": checked.left_out()["train/boat/huge.jpg"],
        "train/boat/page.jpg": checked.left_out()["train/boat/page.jpg"],
        "train/boat/twin.jpg": f"duplicate: as {names[1]}",
        "train/car/odd.jpg": f"contradiction: as {names[3]}",
    }
    assert checked.left_out()["train/boat/huge.jpg"].startswith("bomb: 20000x20000")


def test_leaving_them_out_mends_it(
    faulty: tuple[Path, dict[str, set[frozenset[str]]], Checked], tmp_path: Path
) -> None:
    _, _, checked = faulty
    listed = tmp_path / "leave-out.tsv"
    listed.write_text(checked.quarantine(), encoding="utf-8")
    assert read_list(listed) == checked.left_out()
    again = sightline.check(without_listed(checked.dataset, listed))
    assert again.of_kind(["error"]) == [] and again.left_out() == {}
    assert again.dataset.notes[-1] == "9 pictures left out, as leave-out.tsv says"


def test_a_clean_folder_has_no_findings(tmp_path: Path) -> None:
    checked = sightline.check(clean(tmp_path / "data"))
    assert checked.findings == () and checked.left_out() == {}
    assert "Nothing found" in checked.page()


def test_json_holds_everything(faulty: tuple[Path, dict[str, set[frozenset[str]]], Checked]) -> None:
    document = faulty[2].to_json()
    assert document["num_pictures"] == len(faulty[2].dataset)
    assert document["summary"]["formats"]["GIF"] == 1  # type: ignore[index]
    assert document["classes"]["boat"]["test"] == NUM_A_CLASS + 2  # type: ignore[index]
    findings = {f["kind"]: f for f in document["findings"]}  # type: ignore[union-attr]
    assert findings["corrupt"]["groups"][0] == {
        "paths": ["train/boat/cut.jpg"],
        "remark": "truncated: it ends early, after 3,000 bytes",
    }


# Data sets of every kind


def test_an_archive_of_the_same(faulty: tuple[Path, dict[str, set[frozenset[str]]], Checked], tmp_path: Path) -> None:
    root, expected, _ = faulty
    archive = shutil.make_archive(str(tmp_path / "data"), "zip", root.parent, root.name)
    assert sets(sightline.check(archive)) == expected


def test_idx_arrays(tmp_path: Path) -> None:
    pixels = np.stack([np.asarray(photograph(i, 28, 28).convert("L")) for i in range(60)])
    pixels[7], pixels[55] = pixels[3], pixels[4]
    labels = np.arange(60) % 2
    for prefix, rows in (("train", slice(0, 50)), ("t10k", slice(50, 60))):
        chosen, header = pixels[rows], b"\0\0\x08\x03"
        body = header + b"".join(n.to_bytes(4, "big") for n in chosen.shape) + chosen.tobytes()
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(body))
        count = len(chosen).to_bytes(4, "big")
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + count + bytes(labels[rows].tolist()))
    found = sets(sightline.check(tmp_path))
    images = "train-images-idx3-ubyte.gz"
    assert found["duplicate"] == {frozenset((f"{images}[3]", f"{images}[7]"))}
    assert found["contradiction"] == {frozenset((f"{images}[4]", "t10k-images-idx3-ubyte.gz[5]"))}
    assert found["leak"] == found["contradiction"]


def test_cifar_batches(tmp_path: Path) -> None:
    pixels = np.stack([np.asarray(photograph(i, 32, 32)).transpose(2, 0, 1) for i in range(60)])
    pixels[59] = pixels[2]
    for name, rows in (
        *((f"data_batch_{i}.bin", range(10 * i - 10, 10 * i)) for i in range(1, 6)),
        ("test_batch.bin", range(50, 60)),
    ):
        (tmp_path / name).write_bytes(b"".join(bytes([i % 2]) + pixels[i].tobytes() for i in rows))
    (tmp_path / "batches.meta.txt").write_text("cat\ndog\n")
    checked = sightline.check(tmp_path)
    (leak,) = checked.of_kind(["leak"])
    assert leak.rows == [2, 59] and "1 test picture of 10" in leak.title


def test_a_table_with_groups_and_one_that_parts_them(tmp_path: Path) -> None:
    lines = []
    for i in range(80):
        (tmp_path / f"{i}.png").write_bytes(b"")
        photograph(i // 4, 24, 24).point(lambda value, i=i: min(255, value + i % 4)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i // 4 % 2]},pole {i // 4}")
    table = tmp_path / "signs.csv"
    table.write_text("\n".join(["path,label,group", *lines]))
    (group,) = sightline.check(table).of_kind(["group"])
    assert "The 20 groups are kept whole" in group.title and group.severity == "note"
    parts = ["train", "train", "train", "test"] * 20
    table.write_text("\n".join(["path,label,group,split", *(f"{a},{b}" for a, b in zip(lines, parts, strict=True))]))
    (refused,) = sightline.check(table).of_kind(["refused"])
    assert "parts 20 groups" in refused.effect


def test_nothing_readable(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    checked = sightline.check(tmp_path)
    assert len(checked.of_kind(["corrupt"])[0].rows) == 4
    assert "4 of them cannot be read" in checked.page()


def test_names_that_bite_are_escaped(tmp_path: Path) -> None:
    for label in ("<img src=x>", "b"):
        (tmp_path / label).mkdir()
        for i in range(3):
            photograph(i, 24, 24).save(tmp_path / label / f"{i} <script>.png")
    page = sightline.check(tmp_path).page()
    assert "<img src=x>" not in page and "<script>.png" not in page and "&lt;script&gt;.png" in page
    assert page.count("<script") == 1


# Lists of what to leave out


def test_a_list_by_hand(tmp_path: Path) -> None:
    clean(tmp_path / "data")
    dataset = sightline.open_dataset(tmp_path / "data")
    listed = tmp_path / "list.txt"
    listed.write_text(f"{dataset.paths[5]}\n\n{dataset.paths[7]}\tI do not like it\n")
    left = without_listed(dataset, listed)
    assert len(left) == len(dataset) - 2 and dataset.paths[5] not in left.paths
    for text, message in (
        ("boat/boat of 999.jpg", "Did you mean boat/boat of"),
        (Path(dataset.paths[3]).name, f"Did you mean {dataset.paths[3]}"),
    ):
        listed.write_text(text)
        with pytest.raises(ConfigError, match=message):
            without_listed(dataset, listed)
    listed.write_text("\n".join(dataset.paths))
    with pytest.raises(DataError, match="every picture"):
        without_listed(dataset, listed)
    with pytest.raises(ConfigError, match="No such file"):
        without_listed(dataset, tmp_path / "nowhere.tsv")


def test_a_picture_that_goes_between_reading_and_showing(tmp_path: Path) -> None:
    clean(tmp_path / "data")
    Image.new("RGB", (128, 96)).save(tmp_path / "data" / "car" / "blank.png")
    checked = sightline.check(tmp_path / "data")
    (tmp_path / "data" / "car" / "blank.png").unlink()
    assert "no picture to show" in checked.page()


@pytest.mark.parametrize("header", ["path,labels", "path,value"])
def test_several_labels_and_numbers(header: str, tmp_path: Path) -> None:
    """Copies with the same label are duplicates, with others contradictions."""
    labels = ["a;b", "a", "b", "a;b", "b"] * 6 if header.endswith("labels") else [f"{i % 5}.5" for i in range(30)]
    shown = [photograph(i) for i in range(30)]
    shown[5], shown[6] = shown[0], shown[0]
    rows = [header]
    for i, (pixels, label) in enumerate(zip(shown, labels, strict=True)):
        pixels.save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{label}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    checked = sightline.check(tmp_path)
    assert sets(checked)["contradiction"] == {frozenset({"0.png", "5.png", "6.png"})}
    assert "0.png" in checked.page() and checked.to_json()["num_pictures"] == 30
