"""Pascal VOC: pictures of one category, lists of splits, and XML that would do harm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.data import open_dataset
from sightline.errors import DataError
from sightline.evaluation.runs import aligned

from .making import voc_xml

Tree = Callable[..., Path]


def voc(tree: Tree, objects: dict[str, list[str]], texts: dict[str, str] | None = None) -> Path:
    files = {f"Annotations/{stem}.xml": voc_xml(f"{stem}.png", names) for stem, names in objects.items()}
    return tree([f"JPEGImages/{stem}.png" for stem in objects], files | (texts or {}))


def test_pictures_of_one_category_each_have_it_as_their_class(tree: Tree) -> None:
    data = open_dataset(voc(tree, {"1": ["cat"], "2": ["dog", "dog"], "3": [], "4": ["cat"], "5": ["dog"]}))
    assert data.format == "voc" and data.classes == ("cat", "dog") and data.splits is None
    assert data.paths == [f"JPEGImages/{i}.png" for i in (1, 2, 4, 5)] and data.labels.tolist() == [0, 1, 0, 1]
    assert data.notes == ("left aside 1 picture (JPEGImages/3.png): no object in them",)


def test_pictures_of_several_categories_have_several_labels(tree: Tree) -> None:
    data = open_dataset(voc(tree, {"1": ["cat"], "2": ["dog", "dog"], "3": ["cat", "dog"], "4": []}))
    assert data.task == "multi" and data.labels.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]
    assert data.notes == ("several labels a picture: 1 show objects of several categories (1 x cat + dog)",)


def test_no_object_at_all_is_an_error(tree: Tree) -> None:
    with pytest.raises(DataError, match="the annotations list no object"):
        open_dataset(voc(tree, {"1": [], "2": []}))


def test_lists_are_splits(tree: Tree) -> None:
    objects = {"a": ["x"], "b": ["y"], "c": ["x"], "d": ["y"], "e": ["x"], "f": ["y"]}
    lists = {
        "ImageSets/Main/train.txt": "a\nb\n",
        "ImageSets/Main/val.txt": "c\n",
        "ImageSets/Main/trainval.txt": "a\nb\nc\nd\n",
        "ImageSets/Main/test.txt": "e\r\n\r\n",
        "ImageSets/Main/x_train.txt": "a  1\nb -1\n",
    }
    data = open_dataset(voc(tree, objects, lists))
    assert data.splits == ["train", "train", "val", "train", "test"]
    assert data.notes == ("left aside 1 annotation (f): in no list of ImageSets/Main",)


def test_xml_beside_the_pictures_in_split_folders(tree: Tree) -> None:
    objects = {"train/1": ["a"], "train/2": ["b"], "valid/1": ["a"]}
    texts = {f"{stem}.xml": voc_xml("whatever.jpg", names) for stem, names in objects.items()}
    data = open_dataset(tree([f"{stem}.png" for stem in objects], texts))
    assert data.format == "voc" and data.paths == ["train/1.png", "train/2.png", "valid/1.png"]
    assert data.splits == ["train", "train", "val"] and data.labels.tolist() == [0, 1, 0]


def test_a_picture_that_is_not_there_is_left_for_the_scan(tree: Tree) -> None:
    root = voc(tree, {"1": ["a"], "2": ["b"]}, {"Annotations/3.xml": voc_xml("3.jpeg", ["a"])})
    data = open_dataset(root)
    assert data.paths[2] == "JPEGImages/3.jpeg"
    with pytest.raises(FileNotFoundError):
        data.images.pixels(2)


def test_a_picture_without_annotation_is_said(tree: Tree) -> None:
    root = voc(tree, {"1": ["a"], "2": ["b"]})
    (root / "JPEGImages/9.png").write_bytes(b"")
    assert open_dataset(root).notes == ("left aside 1 picture (JPEGImages/9.png): without an annotation",)


def test_two_years_are_two_data_sets(tree: Tree) -> None:
    texts = {f"{year}/Annotations/1.xml": voc_xml("1.png", ["a"]) for year in ("VOC2007", "VOC2012")}
    root = tree([f"{year}/JPEGImages/1.png" for year in ("VOC2007", "VOC2012")], texts)
    with pytest.raises(DataError, match="several data sets: VOC2007, VOC2012; give the folder of the one"):
        open_dataset(root)


LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>' + voc_xml("1.png", ["&b;"])
OUTSIDE = '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + voc_xml("1.png", ["&a;"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "line 1: a document type, which can make a parser read other files or fill the memory"),
        (OUTSIDE, "line 1: a document type"),
        ("<annotation><object>", "not readable XML: no element found: line 1, column 20"),
        ("<annotation>" + "<a>" * 40, "line 1: elements nested deeper than 32"),
        ("<!--<annotation--><svg></svg>", "no VOC annotation: <svg> instead of <annotation>"),
        ("<annotation><object></object></annotation>", "1 objects, but 0 names"),
        ("<annotation><object><name> </name></object></annotation>", "line 1: an object without a name"),
        ("<annotation>&lt;&unknown;</annotation>", "not readable XML: undefined entity"),
    ],
)
def test_errors_in_xml(text: str, message: str, tree: Tree) -> None:
    root = voc(tree, {"1": ["a"], "2": ["b"]}, {"Annotations/0.xml": text})
    with pytest.raises(DataError, match=rf"Annotations/0\.xml(: |, ){message}"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train.txt": "1\n7\n"}, r"ImageSets/Main/train.txt: no annotation for 7; add it, or remove the line"),
        ({"train.txt": "1\n2\n", "test.txt": "2\n"}, r"test.txt: 2 is in train too; a picture belongs to one split"),
        ({"train.txt": "1 -1\n"}, "line 1: '1 -1'; expected one name, without its extension"),
        ({"train.txt": "1\n2\n", "test.txt": "3\n"}, "'c' occurs in test but never in train"),
    ],
)
def test_errors_in_lists(lists: dict[str, str], message: str, tree: Tree) -> None:
    objects = {"1": ["a"], "2": ["b"], "3": ["c"]}
    with pytest.raises(DataError, match=message):
        open_dataset(voc(tree, objects, {f"ImageSets/Main/{name}": text for name, text in lists.items()}))


def test_blood_cells_have_several_labels(shared: Path) -> None:
    data = open_dataset(shared / "data/bccd.zip")
    assert data.task == "multi" and data.classes == ("Platelets", "RBC", "WBC") and len(data) == 364
    assert (data.labels.sum(axis=1) > 1).sum() == 354


def test_a_split_that_only_some_pictures_have_is_an_error(tree: Tree) -> None:
    texts = {f"{stem}.xml": voc_xml("x.jpg", ["a"]) for stem in ("train/1", "train/2", "test/3", "4")}
    with pytest.raises(DataError, match=r"of 1 picture \(4.png\) no split is said"):
        open_dataset(tree(["train/1.png", "train/2.png", "test/3.png", "4.png"], texts))


def test_a_picture_that_its_annotation_names_is_not_left_aside(tree: Tree) -> None:
    texts = {f"Annotations/x{i}.xml": voc_xml(f"p{i}.png", [name]) for i, name in enumerate("ab")}
    assert open_dataset(tree(["JPEGImages/p0.png", "JPEGImages/p1.png"], texts)).notes == ()


def test_boxes_are_kept_where_they_are_boxes(tree: Tree) -> None:
    def of(name: str, *sides: object) -> str:
        written = "".join(
            f"<{tag}>{side}</{tag}>" for tag, side in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=False)
        )
        return f"<object><name>{name}</name><bndbox>{written}</bndbox></object>"

    objects = {
        "1": of("cat", 2, 3, 10, 20) + of("dog", 1, 1, 5.5, 4),
        "2": of("dog", 9, 9, 3, 20) + of("dog", 1, 2, "wide", 4) + of("dog", 1, 2),  # none of them a box
        "3": of("cat", 0, 0, 4, 4) + "<object><name>cat</name></object>",
    }
    texts = {
        f"Annotations/{k}.xml": f"<annotation><filename>{k}.png</filename>{v}</annotation>" for k, v in objects.items()
    }
    data = open_dataset(tree([f"JPEGImages/{stem}.png" for stem in objects], texts))
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [[1, 1], [0, 1], [1, 0]]
    boxes = data.boxes
    assert boxes is not None and len(boxes.rows) == 3
    assert boxes.of(0, 0).tolist() == [[3, 2, 20, 10]] and boxes.of(0, 1).tolist() == [[1, 1, 4, 5.5]]
    assert boxes.of(1, 1).tolist() == [] and boxes.of(2, 0).tolist() == [[0, 0, 4, 4]]
    fewer = data.without([0], "left out")
    assert fewer.boxes is not None and fewer.boxes.of(1, 0).tolist() == [[0, 0, 4, 4]] and len(fewer.boxes.rows) == 1
    turned = aligned(data, ("dog", "cat"), "multi")
    assert turned.boxes is not None and turned.boxes.of(0, 1).tolist() == [[3, 2, 20, 10]]
