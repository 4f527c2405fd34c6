"""Hand-made pictures and folders for the tests of the data package."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image

Encode = Callable[..., bytes]
MakeTree = Callable[..., Path]


@pytest.fixture
def encode() -> Encode:
    """(image, format, **options) -> the bytes of the file."""

    def write(image: Image.Image, format: str, **options: object) -> bytes:
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return write


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    """(names, texts) -> a folder with a small PNG for each name, and a file for each text."""

    def make(names: Iterable[str], texts: dict[str, str] | None = None) -> Path:
        for shade, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 3), (shade % 256, 0, 0)).save(path, "PNG")
        for name, text in (texts or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make
