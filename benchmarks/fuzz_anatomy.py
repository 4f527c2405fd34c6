"""Where the fields and the parts of a file are, a function a format: by these benchmarks/fuzz.py damages containers.

Comes in: a valid file; goes out: an Anatomy, by which numbers are set to borderline values, texts to hostile ones, and
records are dropped, doubled and put in another order. `repaired` makes checksums right again, so that damage gets past
them. Must not know who reads the files.
"""

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Draw = np.random.Generator


@dataclass(frozen=True)
class Field:
    """A stretch of a file. kind: `<` or `>` a binary number, `octal` a number as tar has it, `text`."""

    at: int
    size: int
    kind: str


@dataclass(frozen=True)
class Anatomy:
    """parts: (start, end) of records that may be dropped, doubled or swapped."""

    fields: tuple[Field, ...]
    parts: tuple[tuple[int, int], ...]


NASTY_NAMES = (
    b"../../etc/passwd", b"/etc/passwd", b"a\0b.png", b"\xff\xfe\xe9.png", b"C:\\a\\b.png", b"9" * 5000 + b".png",
    b"a/" * 300 + b"x.png", b".", b"..", b"/", b"", b"a//b.png", b"a/./b.png", b"a/.hidden.png", b"\xed\xa0\x80.png",
    b"a.tar", b"train/a.png", "\u202egnp.a".encode(),
)  # fmt: skip
NASTY_WORDS = (
    b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"0.5", b"9" * 5000, b"9" * 30, b'""', b"[]", b"{}",
    b"[[1],[2]]", b'{"a":{}}', b"[" * 3000, b'{"a":' * 3000, b'"' + b"9" * 5000 + b'"', b'"\\ud800"', b'"\\u0000"',
    b'"../../etc/passwd"', b"\xff\xfe", b"\0", b"<!DOCTYPE a [<!ENTITY b 'cccc'>]>", b"&b;", b"&#0;", b"<a>" * 200,
    b'"x', b",", b":", b"\r\n", b"a,b,c", b'"a""b"', b"/etc/passwd", b"http://a/b.png", b"#", b"*a", b"&a [x, *a]",
    b"<![CDATA[", b"]]>", b"<!--", b"- - - - -", b"2020-99-99", b"!!python/object:os.system",
)  # fmt: skip


def damaged(data: bytearray, anatomy: Anatomy, draw: Draw) -> None:
    """One step of damage by structure; a later one finds its places moved where an earlier one changed the length."""
    choices = [*("field" for _ in range(3) if anatomy.fields), *("part" for _ in range(1) if len(anatomy.parts) > 1)]
    if choices and choices[int(draw.integers(len(choices)))] == "field":
        set_field(data, anatomy.fields[int(draw.integers(len(anatomy.fields)))], draw)
    elif choices:
        move_part(data, anatomy.parts, draw)


def set_field(data: bytearray, field: Field, draw: Draw) -> None:
    end = field.at + field.size
    if field.kind == "text":
        names = (*NASTY_NAMES, bytes(data[field.at : end][::-1]), bytes(field.size), b"\xff" * field.size)
        chosen = names[int(draw.integers(len(names)))]
        # Mostly in its place, since a length before it says how long it is.
        data[field.at : end] = chosen[: field.size].ljust(field.size, b"\0") if draw.random() < 0.7 else chosen
        return
    top = 2 ** (8 * field.size)
    values = (
        *(0, 1, 2, 255, top - 1, top - 2, top // 2, top // 2 - 1, top // 4, 1 << 16, (1 << 31) - 1, 1 << 32),
        *(len(data), len(data) - field.at, int(draw.integers(256)), int(draw.integers(min(top, 2**62)))),
    )
    value = values[int(draw.integers(len(values)))]
    if draw.random() < 0.3:  # by one
        order = "little" if field.kind == "<" else "big"
        value = int.from_bytes(data[field.at : end], order) + int(draw.choice([-1, 1]))  # type: ignore[arg-type]
    if field.kind == "octal":
        texts = (b"%o" % (value % 8 ** (field.size - 1)), b"-%o" % (value % 8**6), b"-0001000", b"-1", b"+1", b"0x10",
                 b"1_0", b"8", b"", b"7" * field.size, b"\xb2",
                 b"\x80" + (value % 2**62).to_bytes(field.size - 1, "big") if field.size > 8 else b"\x80",
                 b"\xff" * field.size)  # fmt: skip
        data[field.at : end] = texts[int(draw.integers(len(texts)))][: field.size].ljust(field.size, b"\0")
        return
    data[field.at : end] = (value % top).to_bytes(field.size, "little" if field.kind == "<" else "big")


def move_part(data: bytearray, parts: tuple[tuple[int, int], ...], draw: Draw) -> None:
    (a, b), (c, d) = (parts[int(i)] for i in draw.integers(len(parts), size=2))
    match int(draw.integers(4)):
        case 0:
            del data[a:b]
        case 1:
            data[c:c] = data[a:b] * int(draw.choice([1, 1, 2, 30]))
        case 2:
            data[a:b], data[c:d] = data[c:d], data[a:b]
        case _:
            del data[a + int(draw.integers(max(1, b - a))) :]  # cut off inside it


def zip_parts(data: bytes) -> Anatomy:
    """APPNOTE 4.3.7, 4.3.12, 4.3.16: local headers, the central directory, its end."""
    fields, parts = list[Field](), list[tuple[int, int]]()
    layouts = (
        (b"PK\3\4", 30, ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)), 26),
        (b"PK\1\2", 46, ((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)), 28),
        (b"PK\5\6", 22, ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)), None),
    )
    for magic, size, numbers, name_at in layouts:
        for found in re.finditer(re.escape(magic), data):
            start = found.start()
            fields += [Field(start + at, width, "<") for at, width in numbers]
            length = int.from_bytes(data[start + name_at : start + name_at + 2], "little") if name_at else 0
            if length:
                fields.append(Field(start + size, length, "text"))
            parts.append((start, start + size + length))
    return Anatomy(tuple(fields), tuple(parts))


def tar_parts(data: bytes) -> Anatomy:
    """POSIX.1-1988: a header of 512 bytes before each member."""
    fields, parts, at = list[Field](), list[tuple[int, int]](), 0
    while at + 512 <= len(data) and any(data[at : at + 512]):
        fields += [Field(at, 100, "text"), Field(at + 156, 1, "<"), Field(at + 157, 100, "text")]
        fields += [Field(at + 345, 155, "text"), Field(at + 257, 6, "<"), Field(at + 148, 8, "octal")]
        fields += [Field(at + 124, 12, "octal")] * 4
        size = int(data[at + 124 : at + 135].rstrip(b" \0") or b"0", 8)
        if data[at + 156 : at + 157] in (b"x", b"L", b"K", b"g"):
            fields += [Field(at + 512, size, "text"), Field(at + 512, min(size, 2), "<")] * 2
        end = at + 512 + -(-size // 512) * 512
        parts.append((at, end))
        at = end
    return Anatomy(tuple(fields), tuple(parts))


def tar_repaired(data: bytes) -> bytes:
    """The checksums of all headers made right, by the sizes that they say."""
    made, at = bytearray(data), 0
    for _ in range(1000):
        if at + 512 > len(made) or not any(made[at : at + 512]):
            break
        made[at + 148 : at + 156] = b" " * 8
        made[at + 148 : at + 156] = b"%06o\0 " % sum(made[at : at + 512])
        text = bytes(made[at + 124 : at + 136]).rstrip(b" \0")
        size = int(text, 8) if re.fullmatch(rb"[0-7]+", text) else 0
        at += 512 + -(-size // 512) * 512
    return bytes(made)


def npy_parts(data: bytes) -> Anatomy:
    """numpy.lib.format: magic, version, length, a dictionary as text."""
    length = int.from_bytes(data[8:10], "little")
    words = word_parts(data[10 : 10 + length])
    fields = (Field(6, 1, "<"), Field(7, 1, "<"), Field(8, 2, "<"))
    return Anatomy(fields, tuple((a + 10, b + 10) for a, b in words.parts))


def word_parts(data: bytes) -> Anatomy:
    """Words of JSON, XML, CSV, YAML, Python."""
    found = re.finditer(rb'"(?:[^"\\]|\\.)*"|<[^>]*>|[-\w.]+|[^\s\w]', data)
    return Anatomy((), tuple((word.start(), word.end()) for word in found))


def set_word(data: bytearray, anatomy: Anatomy, draw: Draw) -> None:
    """A word becomes a hostile one, or goes, or moves."""
    if not anatomy.parts or draw.random() < 0.4:
        return move_part(data, anatomy.parts or ((0, len(data)),), draw)
    start, end = anatomy.parts[int(draw.integers(len(anatomy.parts)))]
    data[start:end] = NASTY_WORDS[int(draw.integers(len(NASTY_WORDS)))]
    return None


def idx_parts(data: bytes) -> Anatomy:
    sizes = [Field(4 + 4 * i, 4, ">") for i in range(data[3])]
    start = 4 + 4 * data[3]
    return Anatomy((Field(0, 2, ">"), Field(2, 1, ">"), Field(3, 1, ">"), *sizes * 2), ((0, start), (start, len(data))))


def record_parts(data: bytes) -> Anatomy:
    """CIFAR's records: a label and 3,072 values."""
    starts = range(0, len(data), 3073)
    return Anatomy(tuple(Field(start, 1, "<") for start in starts), tuple((s, s + 3073) for s in starts))


def pickle_parts(data: bytes) -> Anatomy:
    """Opcodes, and the numbers behind them."""
    import pickletools

    starts = [at for *_, at in pickletools.genops(data) if at is not None]
    parts = list(zip(starts, [*starts[1:], len(data)], strict=True))
    fields = [Field(a + 1, min(b - a - 1, 4), "<") for a, b in parts if b - a > 1] + [Field(a, 1, "<") for a in starts]
    return Anatomy(tuple(fields), tuple(parts))


def dicom_parts(data: bytes) -> Anatomy:
    """PS3.5, 7.1: explicit elements, and the items of encapsulated pixels."""
    fields, parts, at = [Field(128, 4, ">")], list[tuple[int, int]](), 132
    while at + 8 <= len(data):
        tag, kind = data[at : at + 4], data[at + 4 : at + 6]
        is_item = tag[:2] == b"\xfe\xff"
        is_long = kind in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"OL", b"UC", b"UR")
        width, start = (4, at + 8) if is_item else (4, at + 12) if is_long else (2, at + 8)
        length = int.from_bytes(data[start - width : start], "little")
        length = 0 if length == 0xFFFFFFFF else length
        fields += [Field(start - width, width, "<"), Field(at, 2, "<"), Field(at + 2, 2, "<")]
        if length:
            number = length in (2, 4, 8)
            fields.append(Field(start, length if number else min(length, 64), "<" if number else "text"))
        if kind.isalpha():
            fields.append(Field(at + 4, 2, ">"))
        parts.append((at, start + length))
        at = start + length
    return Anatomy(tuple(fields), tuple(parts))


def nifti_parts(data: bytes) -> Anatomy:
    """nifti1.h: the fields of the header."""
    import nibabel

    is_two = data[:2] == b"\x1c\x02"
    described = (nibabel.Nifti2Header if is_two else nibabel.Nifti1Header).template_dtype
    fields = list[Field]()
    for name in described.names or ():
        kind, at = described.fields[name][:2]
        width = kind.base.itemsize
        weight = 4 if name in ("dim", "datatype", "bitpix", "vox_offset", "scl_slope", "sizeof_hdr") else 1
        fields += [Field(at + i * width, width, "<") for i in range(kind.itemsize // width)] * weight
    return Anatomy(tuple(fields), ((0, described.itemsize), (described.itemsize, len(data))))


def parquet_parts(data: bytes) -> Anatomy:
    """The length of the footer, all bytes of the footer and of the pages' headers, by Thrift's compact protocol."""
    from io import BytesIO

    from pyarrow import parquet

    length = int.from_bytes(data[-8:-4], "little")
    metadata = parquet.ParquetFile(BytesIO(data)).metadata
    starts = {len(data) - 8 - length}
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            starts |= {at for at in (chunk.data_page_offset, chunk.dictionary_page_offset) if at}
    walked = [field for start in starts for field in _thrift(data, start)]
    fields = [Field(len(data) - 8, 4, "<"), *walked]
    parts = sorted({(field.at, field.at + field.size) for field in walked})
    return Anatomy(tuple(fields), tuple(parts))


def _thrift(data: bytes, at: int) -> list[Field]:
    """The varints, texts and type bytes of one struct of Thrift's compact protocol."""
    fields = list[Field]()

    def varint() -> int:
        nonlocal at
        start, value, shift = at, 0, 0
        while True:
            byte = data[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                fields.append(Field(start, at - start, "<"))
                return value

    def value(kind: int) -> None:
        nonlocal at
        if kind in (4, 5, 6):
            varint()
        elif kind == 3:
            at += 1
        elif kind == 7:
            at += 8
        elif kind == 8:
            length = varint()
            fields.append(Field(at, length, "text")) if length else None
            at += length
        elif kind in (9, 10):
            start = at
            size, inner, at = data[at] >> 4, data[at] & 15, at + 1
            fields.append(Field(start, 1, "<"))
            for _ in range(varint() if size == 15 else size):
                value(inner)
        elif kind == 12:
            struct_()

    def struct_() -> None:
        nonlocal at
        while True:
            kind, delta, start, at = data[at] & 15, data[at] >> 4, at, at + 1
            fields.append(Field(start, 1, "<"))
            if kind == 0:
                return
            if not delta:
                varint()
            value(kind)

    struct_()
    return fields


def safetensors_parts(data: bytes) -> Anatomy:
    """The length of the header, and its words."""
    length = int.from_bytes(data[:8], "little")
    words = word_parts(data[8 : 8 + length])
    return Anatomy((Field(0, 8, "<"),), tuple((a + 8, b + 8) for a, b in words.parts))


def pack_parts(data: bytes) -> Anatomy:
    """A pack's footer, the words of its header, and the columns behind it, byte by byte."""
    begin, length = struct.unpack("<QQ", data[-40:-24])
    words = word_parts(data[begin : begin + length])
    columns = tuple(Field(at, 1, "<") for at in range(begin + length, len(data) - 40))
    footer = (Field(len(data) - 40, 8, "<"), Field(len(data) - 32, 8, "<"))
    return Anatomy((*footer * 10, *columns), tuple((a + begin, b + begin) for a, b in words.parts))


def pack_repaired(data: bytes) -> bytes:
    """Its checksum, and where its header begins, made right."""
    import hashlib

    begin = data.find(b'{"facts"')
    if begin < 0 or len(data) < begin + 40:
        return data
    try:
        length = json.JSONDecoder().raw_decode(data[begin:-40].decode("latin-1"))[1]
    except (ValueError, RecursionError):
        length = int.from_bytes(data[-32:-24], "little")
    digest = hashlib.blake2b(data[begin:-40], digest_size=16).digest()
    return data[:-40] + struct.pack("<QQ16s", begin, length, digest) + data[-8:]


def zip_repaired(data: bytes) -> bytes:
    """Where the central directory is and how long it is, made right."""
    start, end = data.find(b"PK\1\2"), data.rfind(b"PK\5\6")
    if start < 0 or end < start or len(data) < end + 22:
        return data
    made = bytearray(data)
    struct.pack_into("<II", made, end + 12, end - start, start)
    return bytes(made)


def inside_gzip(data: bytes) -> bytes | None:
    """What a gzip holds; None for any other file."""
    return zlib.decompress(data, 31) if data[:2] == b"\x1f\x8b" else None


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def npy_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    from io import BytesIO

    with zipfile.ZipFile(BytesIO(data)) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    from io import BytesIO

    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # not at the time of day
    return file.getvalue()
