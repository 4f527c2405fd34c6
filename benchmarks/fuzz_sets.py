"""Every container and kind of data set that is read, and a run's folder: how benchmarks/fuzz.py damages and opens them.

A format is one entry of SETS: the valid files, how one of them is damaged by its structure, the folder around it, and
the public way by which a user opens it.
"""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import fuzz_anatomy as anatomy
import fuzz_set_seeds as made
from fuzz_anatomy import Anatomy, Draw

NUM_READ = 3  # pictures of a data set, and the last
Step = Callable[[bytearray, Anatomy, Draw], None]
Find = Callable[[bytes], Anatomy]
Generic = Sequence[Callable[[bytearray, Draw], None]]


class Unpromised(Exception):
    """Something else than a data set or a reason in words."""


@dataclass(frozen=True)
class Set:
    """file: what a mutant is called; around: the files beside it; opened: the file or, if empty, the folder."""

    seeds: Callable[[], list[bytes]]
    find: Find
    file: str
    around: Callable[[], list[made.Member]] = list
    opened: str = ""
    step: Step = anatomy.damaged
    repaired: Callable[[bytes], bytes] | None = None
    needs: str = ""


def read(name: str, data: bytes) -> bool:
    """Put a mutant of SETS[name] in its place, open it as a user does, and read some pictures."""
    kind = SETS[name]
    folder, opened = _folder(name)
    path = folder / kind.file
    path.write_bytes(data)
    if name.startswith("run-"):
        return _read_run(folder)
    return _read_pack(path) if name == "pack" else _read_dataset(opened)


@cache
def _folder(name: str) -> tuple[Path, Path]:
    """The folder of a child process in which the mutants of a format lie, one after the other."""
    kind = SETS[name]
    folder = Path(tempfile.mkdtemp())
    for file, data in kind.around():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    (folder / kind.file).parent.mkdir(parents=True, exist_ok=True)
    return folder, folder / kind.opened


def _read_dataset(path: Path) -> bool:
    from sightline.data import open_dataset
    from sightline.data.decode import PictureError
    from sightline.errors import SightlineError

    try:
        dataset = open_dataset(path)
    except SightlineError as error:
        return _refused(error)
    for text in (*dataset.classes, *dataset.paths[:100], *dataset.notes, *(dataset.groups or ())[:100]):
        text.encode("utf-8")
    ok = True
    for row in {*range(min(NUM_READ, len(dataset))), len(dataset) - 1}:
        try:
            header, pixels = dataset.images.read(row, 16)
        except (PictureError, SightlineError, OSError) as error:  # as scanning has it
            ok = _refused(error)
            continue
        if pixels.dtype not in (np.uint8, np.float32) or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise Unpromised(f"{pixels.dtype} {pixels.shape}")
        if not pixels.size or header.width < 1 or header.height < 1:
            raise Unpromised(f"an empty picture: {pixels.shape}")
    return ok


def _refused(error: Exception) -> bool:
    text = str(error)
    if not 8 <= len(text) <= 30_000:
        raise Unpromised(f"a reason of no use, {len(text)} characters: {text[:200]!r}") from error
    text.encode("utf-8")
    return False


def _read_pack(path: Path) -> bool:
    from sightline.data.packs.pack import Pack, PackError, facts_of

    try:
        facts_of(path)
        pack = Pack(path)
        for row in range(min(len(pack), 5)):
            pack.canvas(row)
    except (PackError, OSError) as error:
        return len(str(error)) < 5
    return True


def _read_run(folder: Path) -> bool:
    """By what opening a run for answering does before it builds the network, and its weights."""
    from sightline.errors import SightlineError
    from sightline.models.weights_file import read_state_dict
    from sightline.run import Run

    try:
        run = Run.open(folder)
        run.split()
        run.read_json("metrics.json")
        read_state_dict(run.weights_path)
    except SightlineError as error:
        return _refused(error)
    return True


def damaged(name: str, data: bytes, draw: Draw, generic: Generic) -> bytes:
    """A mutant of one of the format's valid files."""
    kind = SETS[name]
    inner = _inside(data)
    if inner is not None and draw.random() < 0.85:
        return anatomy.gzipped(_damaged(kind, inner, draw, generic))
    if name == "npz" and draw.random() < 0.7:
        members = list(anatomy.npy_members(data))
        i = int(draw.integers(len(members)))
        members[i] = (members[i][0], _with_npy_damage(members[i][1], draw, generic))
        return anatomy.zipped(members)
    return _damaged(kind, data, draw, generic) if inner is None else _plainly(data, draw, generic)


@lru_cache(64)
def _inside(data: bytes) -> bytes | None:
    return anatomy.inside_gzip(data)


@lru_cache(64)
def _found(find: Callable[[bytes], Anatomy], data: bytes) -> Anatomy:
    return find(data)


def _damaged(kind: Set, data: bytes, draw: Draw, generic: Generic) -> bytes:
    changed, found = bytearray(data), _found(kind.find, data)
    for _ in range(int(draw.integers(1, 4))):
        if draw.random() < 0.75:
            kind.step(changed, found, draw)
        else:
            generic[int(draw.integers(len(generic)))](changed, draw)
    return kind.repaired(bytes(changed)) if kind.repaired and draw.random() < 0.8 else bytes(changed)


def _with_npy_damage(data: bytes, draw: Draw, generic: Generic) -> bytes:
    changed, found = bytearray(data), anatomy.npy_parts(data)
    if draw.random() < 0.7:
        header = bytearray(changed[10 : 10 + int.from_bytes(changed[8:10], "little")])
        header = bytearray(_replaced(bytes(header), draw))
        changed[8 : 10 + int.from_bytes(changed[8:10], "little")] = (len(header) % 65536).to_bytes(2, "little") + header
    elif draw.random() < 0.5:
        anatomy.damaged(changed, found, draw)
    else:
        generic[int(draw.integers(len(generic)))](changed, draw)
    return bytes(changed)


def _replaced(header: bytes, draw: Draw) -> bytes:
    """A .npy's dictionary with another type, order or shape."""
    kinds = ["'|O'", "'<U9'", "'<f8'", "'>u2'", "'|b1'", "'<f2'", "'|V8'", "'<M8[s]'", "'<c16'", "'|S3'", "'<U1'",
             "[('a', '|u1')]", "'|u1'", "'<i8'", "('|u1', (9,))", "'<U0'", "'<u8'", "'<f4'", "'nonsense'"]  # fmt: skip
    shapes = ["()", "(0,)", "(-1,)", "(1000000000000,)", "(4, 8, 8, 3)", "(8, 8)", "(4, 24, 33, 4)", "(2**70,)",
              "(0, 9, 9)", "(4, 0, 0, 3)", "(" * 150, "(True,)", "(1.0,)", "4", "(99999999, 99999999)"]  # fmt: skip
    text = header.decode("latin-1")
    match int(draw.integers(4)):
        case 0:
            text = re.sub(r"'descr': [^,]*,", lambda _: f"'descr': {kinds[int(draw.integers(len(kinds)))]},", text)
        case 1:
            text = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {shapes[int(draw.integers(len(shapes)))]}", text)
        case 2:
            text = text.replace("False", str(draw.choice(["True", "None", "2", "[[[["])))
        case _:
            changed, found = bytearray(header), anatomy.word_parts(header)
            anatomy.set_word(changed, found, draw)
            return bytes(changed)
    return text.encode("latin-1")


def _plainly(data: bytes, draw: Draw, generic: Generic) -> bytes:
    changed = bytearray(data)
    for _ in range(int(draw.integers(1, 4))):
        generic[int(draw.integers(len(generic)))](changed, draw)
    return bytes(changed)


def _words(
    seeds: Callable[[], list[bytes]], file: str, around: Callable[[], list[made.Member]], needs: str = ""
) -> Set:
    return Set(seeds, anatomy.word_parts, file, around, step=anatomy.set_word, needs=needs)


def _medical(extension: str, seeds: Callable[[], list[bytes]], find: Find, needs: str) -> Set:
    return Set(seeds, find, f"ant/a{extension}", lambda: made.beside_medical(extension, seeds), needs=needs)


def _run(file: str) -> Set:
    return _words(lambda: made.run_file(file), file, made.run_files, needs="torch")


ALL_SETS: dict[str, Set] = {
    "zip": Set(made.zips, anatomy.zip_parts, "a.zip", opened="a.zip", repaired=anatomy.zip_repaired),
    "tar": Set(made.tars, anatomy.tar_parts, "a.tar", opened="a.tar", repaired=anatomy.tar_repaired),
    "tar-gz": Set(made.packed_tars, anatomy.tar_parts, "a.tar.gz", opened="a.tar.gz", repaired=anatomy.tar_repaired),
    "webdataset": Set(made.shards, anatomy.tar_parts, "train-0.tar", made.class_names, repaired=anatomy.tar_repaired),
    "webdataset-several": Set(made.shards_of_several, anatomy.tar_parts, "train-0.tar", made.class_names,
                              repaired=anatomy.tar_repaired),
    "idx": Set(made.idx_images, anatomy.idx_parts, "train-images-idx3-ubyte", made.idx_labels),
    "idx-gz": Set(made.packed_idx_images, anatomy.idx_parts, "train-images-idx3-ubyte.gz", made.idx_labels),
    "cifar": Set(made.cifar_batches, anatomy.record_parts, "data_batch_1.bin", made.cifar_names),
    "cifar-pickle": Set(made.cifar_pickles, anatomy.pickle_parts, "data_batch_1", made.cifar_pickle_names),
    "npz": Set(made.npzs, anatomy.zip_parts, "a.npz", opened="a.npz", repaired=anatomy.zip_repaired),
    "csv": _words(made.comma_tables, "t.csv", made.pictures),
    "tsv": _words(made.tab_tables, "t.tsv", made.pictures),
    "jsonl": _words(made.json_tables, "t.jsonl", made.pictures),
    "parquet-table": Set(made.parquet_tables, anatomy.parquet_parts, "t.parquet", made.pictures, needs="pyarrow"),
    "parquet-pictures": Set(made.parquet_pictures, anatomy.parquet_parts, "train-00000-of-00001.parquet",
                            needs="pyarrow"),
    "parquet-several": Set(made.parquet_several, anatomy.parquet_parts, "train-00000-of-00001.parquet",
                           needs="pyarrow"),
    "hf-metadata": _words(made.hf_tables, "metadata.csv", made.hf_pictures),
    "hf-jsonl": _words(made.hf_json_tables, "metadata.jsonl", made.pictures),
    "hf-card": _words(made.cards, "README.md", made.beside_card, needs="yaml"),
    "coco": _words(made.coco_files, "instances_train.json", made.pictures),
    "voc": _words(made.voc_files, "Annotations/0.xml", made.voc_around),
    "dicom": _medical(".dcm", made.dicoms, anatomy.dicom_parts, "pydicom"),
    "dicom-frames": _medical(".dcm", made.films, anatomy.dicom_parts, "pydicom"),
    "nifti": _medical(".nii", made.niftis, anatomy.nifti_parts, "nibabel"),
    "nifti-gz": _medical(".nii.gz", made.packed_niftis, anatomy.nifti_parts, "nibabel"),
    "pack": Set(made.packs, anatomy.pack_parts, "a.pack", repaired=anatomy.pack_repaired),
    "run-config": _run("config.json"),
    "run-split": _run("split.csv"),
    "run-metrics": _run("metrics.json"),
    "run-weights": Set(lambda: made.run_file("model.safetensors"), anatomy.safetensors_parts, "model.safetensors",
                       made.run_files, needs="torch"),
}  # fmt: skip
SETS = {name: kind for name, kind in ALL_SETS.items() if not kind.needs or find_spec(kind.needs)}
