"""Colour profiles made by hand, as ICC.1:2001-04 lays them out: a matrix and a curve, one grey curve, or a table."""

import struct

# Chromatically adapted to D50, as profiles have them: columns red, green, blue; rows X, Y, Z.
SRGB = ((0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410))
ADOBE_RGB = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(matrix: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    columns = {name: _xyz(*(row[i] for row in matrix)) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"RGB ", columns | {name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")})


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def cmyk_profile(cyan: tuple[int, int, int]) -> bytes:
    """A press whose full cyan alone is `cyan` in Lab (0..255 each), and whose every other mix is white."""
    line = bytes(range(256))
    cells = b"".join(bytes(cyan if (c, m, y, k) == (1, 0, 0, 0) else (255, 128, 128)) for c in (0, 1) for m in (0, 1)
                     for y in (0, 1) for k in (0, 1))  # fmt: skip
    unit = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + unit + line * 4 + cells + line * 3
    return _profile(b"CMYK", {b"A2B0": table}, b"prtr", b"Lab ")


def _profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    tags = {b"wtpt": _xyz(*D50)} | tags
    start, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">II I 4s4s4s 12x 4s 28x", start + len(body), 0, 0x02100000, kind, space, connection, b"acsp")
    illuminant = struct.pack(">3i", *(round(65536 * v) for v in D50))
    return (head + illuminant).ljust(128, b"\0") + table + body


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * v) for v in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))
