"""Valid files of every container and kind of data set, small, made anew: what benchmarks/fuzz.py damages.

Comes in: nothing; goes out: the files, and those that stand beside them. Must not know how they are damaged or read.
"""

import csv
import gzip
import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fuzz_seeds import dicom, saved, scene

Member = tuple[str, bytes]


@cache
def png(number: int = 0) -> bytes:
    return saved(scene("RGB", 9 + number, 11), "PNG")


CLASSES = ("ant", "bee")
CLASS_FILE = b"ant\nbee\n"


def class_folders() -> list[Member]:
    return [(f"{CLASSES[i % 2]}/{i}.png", png(i)) for i in range(6)]


def pictures() -> list[Member]:
    return [(f"{i}.png", png(i)) for i in range(6)]


def rows() -> list[tuple[str, str, str, str]]:
    return [(f"{i}.png", CLASSES[i % 2], "train" if i < 4 else "test", f"pole {i // 2}") for i in range(6)]


def zips() -> list[bytes]:
    def made(method: int, members: Sequence[Member]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.mkdir("ant")
            for name, data in members:
                archive.writestr(zipfile.ZipInfo(name), data, method)  # by itself it would write the time of day
        return file.getvalue()

    listed = [*class_folders(), ("bee/\u0416.png", png()), ("ant/nul.bmp", saved(scene("RGB", 300, 300), "BMP"))]
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return [made(method, listed) for method in methods]


def tar(members: Sequence[Member], format: int = tarfile.USTAR_FORMAT, links: bool = False) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind in (("bee/link.png", tarfile.SYMTYPE), ("bee/hard.png", tarfile.LNKTYPE)) if links else ():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../ant/0.png" if kind == tarfile.SYMTYPE else "ant/0.png"
            archive.addfile(info)
    return file.getvalue()


def tars() -> list[bytes]:
    long = [*class_folders(), (f"bee/{'long' * 40}.png", png()), ("bee/\u0416.png", png())]
    formats = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    return [tar(class_folders()), *(tar(long[:-1], f, True) for f in formats[1:]), tar(long, formats[2])]


def packed_tars() -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in tars()]


def shard_members() -> list[Member]:
    made = list[Member]()
    for i in range(6):
        made += [(f"{i:03d}.png", png(i)), (f"{i:03d}.cls", str(i % 2).encode())]
        made += [(f"{i:03d}.json", json.dumps({"group": f"pole {i}", "split": rows()[i][2]}).encode())]
    return made


def shards_of_several() -> list[bytes]:
    """Lists of classes, and numbers, in the JSON."""
    labels = [{"labels": labels} for labels in (["ant", 1], [], ["bee"], [0], ["bee"], ["ant"])]
    numbers = [{"value_a": i / 3, "value_b": i} for i in range(6)]
    return [
        tar([m for i, r in enumerate(records) for m in ((f"{i}.png", png(i)), (f"{i}.json", json.dumps(r).encode()))])
        for records in (labels, numbers)
    ]


def shards() -> list[bytes]:
    return [tar(shard_members()), tar(shard_members(), tarfile.GNU_FORMAT), tar(shard_members(), tarfile.PAX_FORMAT)]


def pixels(count: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)


def idx(shape: tuple[int, ...], data: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + data


def idx_images() -> list[bytes]:
    grey, colour = pixels()[..., 0], pixels()
    return [idx(grey.shape, grey.tobytes()), idx(colour.shape, colour.tobytes())]


def packed_idx_images() -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in idx_images()]


def idx_labels() -> list[Member]:
    return [("train-labels-idx1-ubyte", idx((6,), bytes([0, 1, 0, 1, 0, 1])))]


def cifar_names() -> list[Member]:
    return [("batches.meta.txt", CLASS_FILE)]


def cifar_pickle_names() -> list[Member]:
    return [("batches.meta", pickle.dumps({b"label_names": list(CLASSES)}, 2))]


def cifar_batches() -> list[bytes]:
    return [b"".join(bytes([i % 2]) + p.transpose(2, 0, 1).tobytes() for i, p in enumerate(pixels()))]


def cifar_pickles() -> list[bytes]:
    values = pixels(3).transpose(0, 3, 1, 2).reshape(3, -1).copy()
    batch = {b"data": values, b"labels": [0, 1, 0], b"batch_label": b"training batch 1 of 5"}
    return [pickle.dumps(batch, protocol) for protocol in (2, 4)]


def npzs() -> list[bytes]:
    def made(**arrays: NDArray[np.generic]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # np.savez writes the time of day
            for name, array in arrays.items():
                member = io.BytesIO()
                np.lib.format.write_array(member, array)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
        return file.getvalue()

    labels = np.array([0, 1, 0, 1, 0, 1])
    return [
        made(train_images=pixels(), train_labels=labels[:, None].astype(np.uint8), class_names=np.array(CLASSES)),
        made(images=pixels()[:, :8, :8] / 255, labels=np.array([CLASSES[i] for i in labels])),
        made(x_train=np.asfortranarray(pixels()[..., 0]), y_train=labels, x_test=pixels()[..., 1], y_test=labels),
    ]


def delimited(separator: str, *columns: str) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator)
    writer.writerows([columns, *rows()])
    return file.getvalue().encode()


def json_lines(*columns: str) -> bytes:
    return "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows()).encode()


COLUMNS, HF_COLUMNS = ("path", "label", "split", "group"), ("file_name", "label", "split", "group")
CARD = b"""---
dataset_info:
  features:
  - name: file_name
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': ant
          '1': bee
  splits: [{name: train, num_examples: 6}]
---
# A data set
"""


def comma_tables() -> list[bytes]:
    return [delimited(",", *COLUMNS), delimited(";", *COLUMNS)]


def tab_tables() -> list[bytes]:
    return [delimited("\t", *COLUMNS)]


def json_tables() -> list[bytes]:
    return [json_lines(*COLUMNS)]


def hf_tables() -> list[bytes]:
    return [delimited(",", *HF_COLUMNS)]


def hf_json_tables() -> list[bytes]:
    return [json_lines(*HF_COLUMNS)]


def cards() -> list[bytes]:
    return [CARD]


def parquet_tables() -> list[bytes]:
    columns = dict(zip(COLUMNS, zip(*rows(), strict=True), strict=True))
    return [_parquet({k: list(v) for k, v in columns.items()}, kind) for kind in ("none", "snappy")]


def parquet_pictures() -> list[bytes]:
    features = {"info": {"features": {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    columns: dict[str, list[object]] = {
        "image": [{"bytes": data, "path": name} for name, data in pictures()],
        "label": [i % 2 for i in range(6)],
        "group": [row[3] for row in rows()],
    }
    metadata = {"huggingface": json.dumps(features)}
    return [_parquet(columns, "none", metadata), _parquet(columns, "zstd", metadata), _parquet(columns, "snappy")]


def parquet_several() -> list[bytes]:
    """Lists of classes by index and by name, and numbers."""
    one_class = {"names": list(CLASSES), "_type": "ClassLabel"}
    features = {"info": {"features": {"labels": {"feature": one_class, "_type": "Sequence"}}}}
    image: list[object] = [{"bytes": data, "path": name} for name, data in pictures()]
    lists: list[object] = [[0, 1], [], [1], [0], [1], [0]]
    names: list[object] = [[CLASSES[k] for k in row] for row in lists]  # type: ignore[attr-defined]
    numbers: dict[str, list[object]] = {"value_a": [0.5, 1.5, -3e-7, 4.0, 5.0, 6.0], "value_b": [1, 2, 3, 4, 5, 6]}
    metadata = {"huggingface": json.dumps(features)}
    return [
        _parquet({"image": image, "labels": lists}, "none", metadata),
        _parquet({"image": image, "labels": names}, "snappy"),
        _parquet({"image": image, **numbers}, "none"),
    ]


def _parquet(columns: dict[str, list[object]], compression: str, metadata: dict[str, str] | None = None) -> bytes:
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    table = pyarrow.table(columns).replace_schema_metadata(metadata)
    parquet.write_table(table, file, row_group_size=3, compression=compression, store_schema=False)
    return file.getvalue()


def coco_files() -> list[bytes]:
    return [json.dumps({
        "info": {"year": 2026},
        "images": [{"id": i, "file_name": f"{i}.png", "width": 9, "height": 9} for i in range(6)],
        "annotations": [{"id": i, "image_id": i, "category_id": i % 2 + 1, "bbox": [0, 0, 5, 5]} for i in range(6)],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)],
    }).encode()]  # fmt: skip


def voc_file(number: int) -> bytes:
    box = f"<object><name>{CLASSES[number % 2]}</name><bndbox><xmin>1</xmin></bndbox></object>"
    return f'<?xml version="1.0"?><annotation><filename>{number}.png</filename>{box * 2}</annotation>'.encode()


def voc_files() -> list[bytes]:
    return [voc_file(0)]


def voc_around() -> list[Member]:
    made = [(f"JPEGImages/{name}", data) for name, data in pictures()]
    return made + [(f"Annotations/{i}.xml", voc_file(i)) for i in range(6)]


def dicoms() -> list[bytes]:
    deep = np.random.default_rng(0).integers(0, 4096, (9, 12)).astype(np.uint16)
    grey, colour = (deep % 256).astype(np.uint8), pixels(1)[0, :8, :8]
    window = {"WindowCenter": 2000, "WindowWidth": 900, "RescaleSlope": 2, "RescaleIntercept": -1000}
    baseline, wavelets = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"
    made = [dicom(deep), dicom(deep, BitsStored=12, **window), dicom(grey), dicom(colour), dicom(np.stack([grey] * 3))]
    made.append(dicom(grey, syntax="1.2.840.10008.1.2"))
    made.append(dicom(grey, syntax="1.2.840.10008.1.2.1.99"))
    made.append(dicom(grey, syntax=baseline, PixelData=saved(Image.fromarray(grey), "JPEG")))
    made.append(dicom(grey, syntax=wavelets, PixelData=saved(Image.fromarray(grey), "JPEG2000", no_jp2=True)))
    if find_spec("imagecodecs"):
        import imagecodecs

        jpeg_ls, lossless = imagecodecs.jpegls_encode, partial(imagecodecs.ljpeg_encode, bitspersample=8)
        for syntax, encode in (("1.2.840.10008.1.2.4.80", jpeg_ls), ("1.2.840.10008.1.2.4.70", lossless)):
            made.append(dicom(grey, syntax=syntax, PixelData=bytes(encode(grey))))
    return made


def films() -> list[bytes]:
    """DICOM files of several frames: plain, big, deflated, RLE, JPEG, in colour, with windows of their own."""
    import pydicom
    from pydicom.uid import RLELossless

    deep = np.random.default_rng(0).integers(0, 4096, (4, 9, 12)).astype(np.uint16)
    grey = (deep % 256).astype(np.uint8)
    made = [dicom(deep, BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=900), dicom(grey)]
    made += [dicom(grey, syntax=f"1.2.840.10008.1.2{end}") for end in ("", ".1.99")]
    for rle in (True, False):
        dataset = pydicom.dcmread(io.BytesIO(made[0]))
        groups = pydicom.Sequence()
        for centre in (500, 1000, 1500, 2000):
            lut, transformation, group = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
            lut.WindowCenter, lut.WindowWidth = centre, 400
            transformation.RescaleSlope, transformation.RescaleIntercept = 2, -100
            group.FrameVOILUTSequence = pydicom.Sequence([lut])
            group.PixelValueTransformationSequence = pydicom.Sequence([transformation])
            groups.append(group)
        del dataset.WindowCenter, dataset.WindowWidth
        dataset.PerFrameFunctionalGroupsSequence = groups
        if rle:
            dataset.compress(RLELossless, encoding_plugin="pydicom")
        file = io.BytesIO()
        dataset.save_as(file)
        made.append(file.getvalue())
    return made


def niftis() -> list[bytes]:
    import nibabel

    values = np.random.default_rng(0).integers(0, 900, (7, 8, 5))
    made = list[bytes]()
    for kind, number in ((nibabel.Nifti1Image, np.int16), (nibabel.Nifti2Image, np.uint8), (nibabel.Nifti1Image, "f4")):
        image = kind(values.astype(number), np.diag([2, 1, 3, 1]))
        image.header.set_slope_inter(2, 1)
        made.append(image.to_bytes())
    return made


def packed_niftis() -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in niftis()]


def run_files() -> list[Member]:
    import torch
    from safetensors.torch import save

    from sightline.data.preprocess import Preprocessing
    from sightline.run import RunConfig

    weights = save({"conv.weight": torch.ones(2, 3), "bias": torch.zeros(2, dtype=torch.float16)})
    preprocessing = Preprocessing(channels=3, height=32, width=32)
    config = RunConfig("simple_cnn", CLASSES, preprocessing, {"depth": 2}, weights_sha256="0" * 64).to_json()
    split = b"path,label,group,split,pixels\n0.png,ant,,train,00\n1.png,bee,,test,11\n"
    return [("model.safetensors", weights), ("config.json", json.dumps(config).encode()), ("split.csv", split),
            ("metrics.json", b'{"accuracy": 0.5}')]  # fmt: skip


def packs() -> list[bytes]:
    from sightline.data.packs.pack import PackWriter

    with tempfile.TemporaryFile() as file:
        writer = PackWriter(file, 3)
        for canvas in (*pixels(3)[:, :6, :7], None):
            writer.add(canvas)
        writer.finish({"key": "a"}, {"labels": np.arange(4), "pairs": np.zeros(4, [("a", "<i4"), ("b", "S4")])})
        file.seek(0)
        return [file.read()]


def run_file(name: str) -> list[bytes]:
    return [dict(run_files())[name]]


def class_names() -> list[Member]:
    return [("classnames.txt", CLASS_FILE)]


def hf_pictures() -> list[Member]:
    return [*pictures(), ("README.md", CARD)]


def beside_card() -> list[Member]:
    numbers = "".join(f"{i}.png,{i % 2}\n" for i in range(6))
    return [*pictures(), ("metadata.csv", f"file_name,label\n{numbers}".encode())]


def beside_medical(extension: str, seeds: Callable[[], list[bytes]]) -> list[Member]:
    return [(f"bee/b{extension}", seeds()[0]), ("bee/c.png", png())]
