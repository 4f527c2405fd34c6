"""COCO: pictures of one category, where they are found, and annotations that do not fit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.data import open_dataset
from sightline.errors import DataError

from .making import coco_json

Tree = Callable[..., Path]
NAMES = ["1.png", "2.png", "3.png", "4.png"]


def test_pictures_of_several_categories_have_several_labels(tree: Tree) -> None:
    found = coco_json(NAMES, [[1, 1], [2], [1, 2], []])
    root = tree([f"images/{name}" for name in NAMES], {"annotations/instances.json": json.dumps(found)})
    data = open_dataset(root)
    assert data.format == "coco" and data.paths == [f"images/{name}" for name in NAMES] and data.splits is None
    assert data.classes == ("2", "3"), "categories 1 and 2 by name; 10 has no picture"
    assert data.labels.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]
    assert data.notes == ("several labels a picture: 1 show objects of several categories (1 x 2 + 3)",)


def test_pictures_without_objects_have_no_class(tree: Tree) -> None:
    root = tree(NAMES, {"annotations/instances.json": json.dumps(coco_json(NAMES, [[1], [2], [1, 1], []]))})
    data = open_dataset(root)
    assert data.paths == NAMES[:3] and data.labels.tolist() == [0, 1, 0]
    assert data.notes == (f"left aside 1 picture ({NAMES[3]}): no object in them",)


def test_a_json_in_each_split_folder_and_equal_names(tree: Tree) -> None:
    text = json.dumps(coco_json(["1.png", "2.png"], [[1], [2]]))
    names = [f"{split}/{name}" for split in ("train", "valid") for name in ("1.png", "2.png")]
    data = open_dataset(tree(names, {f"{split}/_annotations.coco.json": text for split in ("train", "valid")}))
    assert data.paths == names and data.splits == ["train", "train", "val", "val"]


@pytest.mark.parametrize("place", ["train2017", "images/train2017", "train"])
def test_places_of_pictures(place: str, tree: Tree) -> None:
    texts = {
        f"annotations/instances_{split}2017.json": json.dumps(coco_json(["1.png", "2.png"], [[1], [2]]))
        for split in ("train", "val")
    }
    places = [place, place.replace("train", "val")]
    data = open_dataset(tree([f"{p}/{i}.png" for p in places for i in (1, 2)], texts))
    assert data.paths == [f"{p}/{i}.png" for p in places for i in (1, 2)]
    assert data.splits == ["train", "train", "val", "val"]


def test_captions_and_keypoints_are_left_aside(tree: Tree) -> None:
    texts = {
        "annotations/instances_train.json": json.dumps(coco_json(["1.png", "2.png"], [[1], [2]])),
        "annotations/captions_train.json": json.dumps({"info": {}, "images": [], "annotations": []}),
    }
    data = open_dataset(tree(["train/1.png", "train/2.png", "train/3.png"], texts))
    assert data.notes == (
        "left aside 1 file (annotations/captions_train.json): no object annotations",
        "left aside 1 picture (train/3.png): not in the annotations",
    )


def test_a_picture_that_is_not_there_is_left_for_the_scan(tree: Tree) -> None:
    data = open_dataset(tree(NAMES[:2], {"coco.json": json.dumps(coco_json(NAMES[:3], [[1], [2], [1]]))}))
    assert data.paths == NAMES[:3]
    with pytest.raises(FileNotFoundError):
        data.images.pixels(2)


def change(**parts: object) -> str:
    return json.dumps({**coco_json(NAMES[:2], [[1], [2]]), **parts})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (change()[:-9], r"instances.json: not readable JSON: Unterminated .*; fetch it again"),
        (change(images={"id": 3}), "`images` is no list of objects"),
        (change(annotations=[{"image_id": 7, "category_id": 1}]), r"\[0\] is of the image 7, which is not in `images`"),
        (change(annotations=[{"image_id": 0, "category_id": 9}]), r"\[0\] is of the category 9, which is not in"),
        (change(images=[{"id": 1, "file_name": "a"}] * 2), r"images\[1\]: the id 1 occurs twice"),
        (change(categories=[{"id": 1}]), r"categories\[0\]: expected an `id` and a text `name`, found \{'id': 1\}"),
        (change(images=[]), "annotations.0. is of the image 0"),
        (change(images=[], annotations=[]), "the annotations list no picture"),
        (change(images=[{"id": i, "file_name": "1.png"} for i in (0, 1)]), "annotated more than once: 1.png"),
    ],
)  # fmt: skip
def test_errors_say_where(text: str, message: str, tree: Tree) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(tree(NAMES[:2], {"annotations/instances.json": text}))


def test_a_name_that_fits_several_pictures(tree: Tree) -> None:
    text = json.dumps(coco_json(["1.png", "2.png"], [[1], [2]]))
    root = tree(["a/1.png", "b/1.png", "2.png"], {"annotations/instances.json": text})
    with pytest.raises(DataError, match=r"1.png may be a/1.png, b/1.png; write the folder into file_name"):
        open_dataset(root)


def test_files_without_a_split_among_others(tree: Tree) -> None:
    text = json.dumps(coco_json(NAMES[:2], [[1], [2]]))
    root = tree(NAMES, {"annotations/instances_train.json": text, "annotations/instances_more.json": text})
    with pytest.raises(DataError, match=r"instances_more.json says no split in its name, but there are 2 files"):
        open_dataset(root)


@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_ids_that_are_lists(key: str, tree: Tree) -> None:
    found = {"image_id": 0, "category_id": 1} | {key: [1]}
    with pytest.raises(DataError, match=r"annotations\[0\] is of the \w+ \[1\]"):
        open_dataset(tree(NAMES, {"annotations/instances.json": change(annotations=[found])}))


def test_json_that_speaks_of_no_pictures_is_none(tree: Tree) -> None:
    """As what Kaggle puts beside a data set."""
    text = json.dumps({"title": "Cats", "licenses": [{"name": "CC0-1.0"}], "info": "x"})
    data = open_dataset(tree(["cat/1.png", "cat/2.png", "dog/3.png"], {"dataset-metadata.json": text}))
    assert data.format == "folder" and data.classes == ("cat", "dog")


def test_boxes_are_kept_where_they_are_boxes(tree: Tree) -> None:
    found = coco_json(NAMES, [[1], [2], [1], [2]])
    for annotation, box in zip(found["annotations"], ([2, 3, 8, 17], [0, 0, 0, 5], "none", [1, 1, 2]), strict=True):
        annotation["bbox"] = box
    data = open_dataset(tree(NAMES, {"annotations/instances.json": json.dumps(found)}))
    assert data.boxes is not None and data.boxes.rows.tolist() == [0]
    assert data.boxes.of(0, 0).tolist() == [[3, 2, 20, 10]]
