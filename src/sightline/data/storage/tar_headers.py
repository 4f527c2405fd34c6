"""The headers of a tar's members. Comes in: their bytes; goes out: sizes, names and records.

Formats: POSIX.1-1988 (ustar) and POSIX.1-2001 (pax). Must not know where they come from.
"""

import zlib

BLOCK = 512  # POSIX.1-1988 (ustar): headers and files start at multiples of this
MAX_LENGTH_DIGITS = 12  # of the length of a pax record


def checked_size(header: bytes) -> int | None:
    """The size of the member behind a ustar header; None if the header is damaged or of another kind."""
    if len(header) < BLOCK or header[257:262] != b"ustar":
        return None
    try:
        size, checksum = (int(field.rstrip(b" \0"), 8) for field in (header[124:136], header[148:156]))
    except ValueError:  # a size past 8 GiB is written in binary
        return None
    if size < 0:  # Python's int takes a sign
        return None
    total = checksum - 8 * ord(" ") + sum(header[148:156])  # the checksum's own field counts as blanks
    # Adler-32's lower half is 1 + the sum of the bytes, modulo 65521: a tenth of the time of sum().
    return size if zlib.adler32(header) & 0xFFFF == (1 + total) % 65521 else None


def short_name(header: bytes) -> bytes:
    """A ustar header's name, which ends at a zero byte or with its field."""
    name, is_posix = header[:100].partition(b"\0")[0], header[257:263] == b"ustar\0"
    if is_posix and header[345]:  # the first half of a name past 100 bytes
        return header[345:500].partition(b"\0")[0] + b"/" + name
    return name


def pax_records(data: bytes) -> dict[bytes, bytes]:
    """POSIX.1-2001 records, `22 mtime=1554014139.0\\n`; damaged ones give an empty key."""
    records, at = {}, 0
    while at < len(data):
        length = data[at : at + MAX_LENGTH_DIGITS].partition(b" ")[0]
        end = at + int(length) if length.isdigit() else 0
        if not at + len(length) + 2 < end <= len(data) or data[end - 1 : end] != b"\n":
            return {b"": b""}
        key, _, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        records[key] = value
        at = end
    return records
