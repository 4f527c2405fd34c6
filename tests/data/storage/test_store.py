import bz2
import gzip
import io
import lzma
import os
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.data.storage.names import natural_key
from sightline.data.storage.store import FolderStore, Store, SubStore, is_archive, open_store
from sightline.data.storage.tar_store import TarStore, _full_index, _plain_index, _uncompressed
from sightline.data.storage.zip_store import ZipStore
from sightline.errors import DataError

FILES = {
    "a/10.png": b"ten",
    "a/2.png": b"two",
    "b/x y.png": b"space",
    "ключ/日本.png": b"script",
    "b/" + "long" * 40 + ".png": b"long",
    "b/empty.png": b"",
}
IN_ORDER = ["a/2.png", "a/10.png", "b/empty.png", "b/" + "long" * 40 + ".png", "b/x y.png", "ключ/日本.png"]
HIDDEN = {"__MACOSX/a/._2.png": b"", ".git/config": b"", "a/.DS_Store": b"", "b/Thumbs.db": b""}


def make_folder(root: Path) -> Path:
    for name, data in (FILES | HIDDEN).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "nothing/below").mkdir(parents=True)
    return root


def make_zip(path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in (FILES | HIDDEN).items():
            archive.writestr(name, data)
        archive.mkdir("nothing")
        archive.mkdir("nothing/below")
    return path


def make_tar(path: Path, mode: str = "w", format: int = tarfile.PAX_FORMAT, prefix: str = "") -> Path:
    with tarfile.open(path, mode, format=format) as archive:  # type: ignore[call-overload]
        for folder in ("nothing", "nothing/below"):
            info = tarfile.TarInfo(prefix + folder)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name, data in (FILES | HIDDEN).items():
            info = tarfile.TarInfo(prefix + name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda p: make_folder(p / "folder"),
    "zip": lambda p: make_zip(p / "a.zip"),
    "stored zip": lambda p: make_zip(p / "a.zip", zipfile.ZIP_STORED),
    "bzip2 zip": lambda p: make_zip(p / "a.zip", zipfile.ZIP_BZIP2),
    "pax tar": lambda p: make_tar(p / "a.tar"),
    "gnu tar": lambda p: make_tar(p / "a.tar", format=tarfile.GNU_FORMAT),
    "tar of .": lambda p: make_tar(p / "a.tar", prefix="./"),
    "tar.gz": lambda p: make_tar(p / "a.tar.gz", "w:gz"),
    "tar.bz2": lambda p: make_tar(p / "a.tar.bz2", "w:bz2"),
    "tar.xz": lambda p: make_tar(p / "a.tar.xz", "w:xz"),
    "gzip named tar": lambda p: make_tar(p / "a.tar", "w:gz"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_store_lists_and_reads_the_same(kind: str, tmp_path: Path) -> None:
    store = open_store(MAKERS[kind](tmp_path))
    assert store.names() == IN_ORDER
    assert {name: store.read(name) for name in store.names()} == FILES
    assert store.empty_folders() == ["nothing", "nothing/below"]
    with pytest.raises(FileNotFoundError):
        store.read("a/3.png")
    assert not hasattr(store.names(), "clear"), "no caller can change the store's own list"


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_threads_read_the_right_bytes(kind: str, tmp_path: Path) -> None:
    store = open_store(MAKERS[kind](tmp_path))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda name: (name, store.read(name)), IN_ORDER * 200))
    assert all(FILES[name] == data for name, data in read)


def test_sub_store_is_the_part_below(tmp_path: Path) -> None:
    store = SubStore(open_store(make_zip(tmp_path / "a.zip")), "nothing/")
    assert (store.names(), store.empty_folders()) == ([], ["below"])
    store = SubStore(open_store(tmp_path / "a.zip"), "a/")
    assert store.names() == ["2.png", "10.png"] and store.read("10.png") == b"ten"


def test_natural_order() -> None:
    names = ["b", "a10", "a2", "10", "9", "a", "a2b", "A"]
    assert sorted(names, key=natural_key) == ["9", "10", "A", "a", "a2", "a2b", "a10", "b"]


def test_names_that_are_not_utf8_can_be_printed_and_read(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.png"), "wb") as file:
        file.write(b"coffee")
    store = FolderStore(tmp_path)
    assert store.names() == [r"caf\xe9.png"]
    assert store.read(store.names()[0]) == b"coffee"
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("caf\udce9.png"), io.BytesIO())
    assert TarStore(path).names() == [r"caf\xe9.png"]


def test_utf8_names_without_the_zip_flag_and_windows_slashes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("k_ey/na_me.png", b"1")
        archive.writestr("dir|name.png", b"2")
    data = path.read_bytes().replace(b"k_ey", "ключ".encode()[:4]).replace(b"na_me", "кий".encode()[:4] + b"x")
    path.write_bytes(data.replace(b"dir|name", b"dir\\name"))
    store = ZipStore(path)
    assert store.names() == ["dir/name.png", "кл/киx.png"]
    assert [store.read(name) for name in store.names()] == [b"2", b"1"]


def test_links_in_a_folder(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "folder")
    (root / "linked").symlink_to(root / "a")
    (root / "a/up").symlink_to(root)
    (root / "a/gone.png").symlink_to(root / "nowhere.png")
    store = FolderStore(root)
    assert [n for n in store.names() if n.startswith("linked/")] == [
        "linked/2.png", "linked/10.png", "linked/gone.png",
    ]  # fmt: skip
    assert not any("up" in name for name in store.names())
    with pytest.raises(FileNotFoundError):
        store.read("a/gone.png")


def test_links_in_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a/1.png")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"one"))
        for name, kind, target in [
            ("b/hard.png", tarfile.LNKTYPE, "a/1.png"),
            ("b/soft.png", tarfile.SYMTYPE, "../a/1.png"),
            ("b/gone.png", tarfile.SYMTYPE, "../a/9.png"),
            ("b/round.png", tarfile.SYMTYPE, "round.png"),
            ("c/twice.png", tarfile.SYMTYPE, "../b/soft.png"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    store = TarStore(path)
    assert store.names() == ["a/1.png", "b/hard.png", "b/soft.png", "c/twice.png"]
    assert store.read("b/hard.png") == store.read("c/twice.png") == b"one"


def test_both_ways_to_index_a_tar_agree(tmp_path: Path, shared: Path) -> None:
    for path in (make_tar(tmp_path / "a.tar"), shared / "data/cifar10_jpg.tar.gz"):
        with _uncompressed(path) as file:
            start = time.perf_counter()
            plain = list(_plain_index(file))
            plain_s = time.perf_counter() - start
            assert plain == list(_full_index(file))
            full_s = time.perf_counter() - start - plain_s
    assert plain is not None and len(plain) >= 60_000
    assert plain_s < full_s, "the faster way must be the faster one"


def test_a_damaged_member_is_an_oserror(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"space", b"spade"))
    store = open_store(path)
    assert store.read("a/2.png") == b"two"
    with pytest.raises(OSError, match="damaged in the archive: its checksum does not match"):
        store.read("b/x y.png")
    path = make_zip(tmp_path / "b.zip")
    info = zipfile.ZipFile(path).getinfo("b/" + "long" * 40 + ".png")
    data = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    data[start : start + info.compress_size] = b"\xff" * info.compress_size
    path.write_bytes(data)
    with pytest.raises(OSError, match="damaged in the archive"):
        open_store(path).read(info.filename)


def test_an_encrypted_member_is_an_oserror(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match="encrypted"):
        open_store(path).read("a/10.png")


def bad_archives(folder: Path) -> list[Path]:
    whole = make_tar(folder / "whole.tar").read_bytes()
    bad = {
        "empty.zip": b"",
        "text.zip": b"hello",
        "text.tar": b"hello",
        "empty.tar": b"",
        "cut.tar": whole[:2000],
        "cut.tar.gz": gzip.compress(whole)[:200],
        "cut.tar.bz2": bz2.compress(whole)[:200],
        "cut.tar.xz": lzma.compress(whole)[:200],
        "text.tar.gz": gzip.compress(b"hello"),
        "cut.zip": make_zip(folder / "whole.zip").read_bytes()[:-30],
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in bad]


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    for path in bad_archives(tmp_path):
        assert is_archive(path)
        with pytest.raises(DataError, match="is not a readable archive") as caught:
            open_store(path)
        assert str(path) in str(caught.value)


def test_no_such_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        open_store(tmp_path / "nowhere")


def test_a_large_archive_opens_quickly(shared: Path) -> None:
    start = time.perf_counter()
    names = open_store(shared / "data/cifar10_jpg.tar.gz").names()
    elapsed_s = time.perf_counter() - start
    assert len(names) == 60_000
    assert elapsed_s < 10, f"{elapsed_s:.1f} s; about 1 s is usual"


@pytest.mark.parametrize("kind", ["folder", "stored.zip", "deflated.zip", "bzip2.zip", "plain.tar", "packed.tar.gz"])
def test_open_seeks_in_one_file_without_reading_the_others(kind: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner/a.bin").write_bytes(content)
    (source / "b.bin").write_bytes(b"other")
    path = tmp_path / kind
    methods = {"stored.zip": zipfile.ZIP_STORED, "deflated.zip": zipfile.ZIP_DEFLATED, "bzip2.zip": zipfile.ZIP_BZIP2}
    if kind in methods:
        with zipfile.ZipFile(path, "w", methods[kind]) as archive:
            for name in ("b.bin", "inner/a.bin"):
                archive.write(source / name, name)
    elif "tar" in kind:
        with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as tar:
            tar.add(source, ".")
    store = SubStore(open_store(source if kind == "folder" else path), "inner/")
    with store.open("a.bin") as first, store.open("a.bin") as second:
        assert first.read(3) == content[:3]
        assert second.read() == content and second.read() == b""
        assert first.seek(-5, 2) == len(content) - 5 and first.read(99) == content[-5:]
        assert first.seek(1000) == 1000 and first.read(7) == content[1000:1007] and first.tell() == 1007
    with pytest.raises(FileNotFoundError):
        store.open("b.bin")


def ustar(name: bytes, size: bytes, kind: bytes = b"0", prefix: bytes = b"") -> bytes:
    """A header with a right checksum, whatever its fields hold."""
    fields = name.ljust(100, b"\0") + b"0000644\0" * 3 + size.ljust(12, b"\0") + b"0" * 12 + b" " * 8 + kind
    header = bytearray((fields + bytes(100) + b"ustar\x0000" + bytes(82) + prefix).ljust(512, b"\0"))
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("size", [b"-0000001000", b"-1", b"-0001000"])
@pytest.mark.parametrize("kind", [b"0", b"x", b"L"])
def test_a_negative_size_in_a_tar_is_an_error(size: bytes, kind: bytes, tmp_path: Path) -> None:
    """-512 once led back to the same header for ever."""
    path = tmp_path / "a.tar"
    path.write_bytes(ustar(b"a/1.png", b"3") + b"one".ljust(512, b"\0") + ustar(b"a/2.png", size, kind) + bytes(1024))
    with pytest.raises(DataError, match=r"a\.tar is not a readable archive"):
        open_store(path)


def test_a_name_in_a_tar_ends_at_a_zero_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(ustar(b"a/1.png\0rest", b"3") + b"one".ljust(512, b"\0") + bytes(1024))
    assert open_store(path).names() == ["a/1.png"]


def test_a_damaged_header_inside_a_tar_is_no_end(tmp_path: Path) -> None:
    """tarfile, which reads what is not plain, takes it for one and leaves out the rest."""
    path = make_tar(tmp_path / "a.tar", format=tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    at = data.index(b"a/10.png")
    data[at + 149] ^= 1  # of its checksum
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"the header at byte {at:,} is damaged"):
        open_store(path)


@pytest.mark.parametrize("record", [b"9" * 5000 + b" path=a\n", b"5 path=a\n", b"99 path=a\n", b"x"])
def test_a_damaged_pax_header_is_an_error(record: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    extension = ustar(b"x", b"%o" % len(record), b"x") + record.ljust(-(-len(record) // 512) * 512, b"\0")
    path.write_bytes(extension + ustar(b"a/1.png", b"3") + b"one".ljust(512, b"\0") + bytes(1024))
    with pytest.raises(DataError, match=r"a\.tar is not a readable archive"):
        open_store(path)


def test_a_sparse_file_in_a_tar_is_an_error(tmp_path: Path) -> None:
    """Its bytes in the tar are not those of the file."""
    path = tmp_path / "a.tar"
    header = bytearray(ustar(b"a/1.png", b"3", b"S"))
    header[386:410] = b"%011o\0%011o\0" % (1000, 3)
    header[483:495] = b"%011o\0" % 2000
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + b"one".ljust(512, b"\0") + bytes(1024))
    with pytest.raises(DataError, match=r"1\.png is a sparse file"):
        open_store(path)


def changed_zip(path: Path, method: int, *changes: tuple[int, bytes]) -> Path:
    """A zip of one file of 1,000 zeros, with bytes changed at places counted from its directory."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/1.png", bytes(1000))
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\1\2")
    for at, value in changes:
        data[start + at : start + at + len(value)] = value
    path.write_bytes(data)
    return path


def read_opened(store: Store, name: str) -> bytes:
    with store.open(name) as file:
        return file.read()


@pytest.mark.parametrize(
    ("method", "change"),
    [
        (zipfile.ZIP_DEFLATED, (24, (900).to_bytes(4, "little"))),  # says less than it unpacks to
        (zipfile.ZIP_DEFLATED, (24, (4000).to_bytes(4, "little"))),  # says more
        (zipfile.ZIP_DEFLATED, (24, (2**32 - 2).to_bytes(4, "little"))),  # says what DEFLATE cannot
        (zipfile.ZIP_STORED, (20, (2**31).to_bytes(4, "little"))),  # longer than the archive
        (zipfile.ZIP_STORED, (42, (2**31).to_bytes(4, "little"))),  # behind its end
        (zipfile.ZIP_LZMA, (10, b"\x0c\0")),  # no bzip2
        (zipfile.ZIP_BZIP2, (10, b"\x0e\0")),  # no LZMA
        (zipfile.ZIP_DEFLATED, (10, b"\x63\0")),  # unknown
    ],
)
def test_what_a_zip_says_wrongly_of_a_member_is_an_oserror(
    method: int, change: tuple[int, bytes], tmp_path: Path
) -> None:
    store = open_store(changed_zip(tmp_path / "a.zip", method, change))
    with pytest.raises(OSError, match="damaged in the archive"):
        store.read("a/1.png")
    with pytest.raises(OSError, match=r"damaged in the archive|ends inside"):
        read_opened(store, "a/1.png")


@pytest.mark.parametrize(
    "changes",
    [
        ((6, b"\xff\xff"),),  # a version from the future
        ((8, b"\0\x08"), (46, b"\xff\xfe")),  # a name that is said to be UTF-8
    ],
)
def test_a_zip_that_zipfile_refuses_in_any_way_is_a_data_error(
    changes: tuple[tuple[int, bytes], ...], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"a\.zip is not a readable archive"):
        open_store(changed_zip(tmp_path / "a.zip", zipfile.ZIP_STORED, *changes))


def test_a_zip_bomb_is_unpacked_no_further_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(200 << 20))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 24 :][:4] = b""
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    store = open_store(path)
    tracemalloc.start()
    with pytest.raises(OSError, match="longer or shorter than it says"):
        store.read("a/1.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
