"""File names as text. Comes in: names as a disk or an archive has them; goes out: names to sort and show.

Must not know where files live or what they contain.
"""

import re

# Left behind by operating systems; not the user's pictures, so passed over without a word.
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")

_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key by which `class_2` stands before `class_10`; ties are broken by the text itself."""
    parts: list[str | int] = list(_DIGITS.split(name))  # text and digits by turns, text first
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def is_visible(name: str) -> bool:
    """False for hidden files, and for what operating systems leave behind, anywhere along the path."""
    return not any(part.startswith(".") or part in JUNK for part in name.split("/"))


def as_text(name: str) -> str:
    r"""A name that can be printed and written: bytes that are not UTF-8, which Python keeps as lone
    surrogates, become `\xe9`."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return name
