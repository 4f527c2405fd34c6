"""Frozen dataclasses <-> TOML. Comes in: a dataclass and plain values; goes out: a checked instance, or TOML text.

Each default lives once, in the dataclass. Unknown keys and wrong types are errors that name the key.
Knows nothing of what the dataclasses mean.
"""

import dataclasses
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar  # Any: TOML values have no narrower type

from sightline.errors import ConfigError, nearest

T = TypeVar("T")


def build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """An instance of the dataclass `cls` from `values`; `where` names their origin in errors."""
    return replace(cls(), values, where)


def replace(instance: T, values: dict[str, Any], where: str) -> T:
    """`instance` with some fields changed. Raises ConfigError for unknown keys and wrong types."""
    hints = typing.get_type_hints(type(instance))
    checked = {}
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"{where}: {nearest(key, hints, 'setting')}")
        checked[key] = _coerce(value, hints[key], f"{where}: {key}")
    return dataclasses.replace(instance, **checked)  # type: ignore[type-var]


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises ConfigError if it is not there or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from error


def parse_assignments(pairs: list[str]) -> dict[str, Any]:
    """`["lr=0.1", "optimizer=sgd"]` -> `{"lr": 0.1, "optimizer": "sgd"}`; values are TOML, or bare words."""
    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: write it as key=value")
        try:
            values[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = text.strip()
    return values


def to_toml(instance: Any, comment: str = "") -> str:
    """A flat dataclass as TOML text; fields that are None are left out, since TOML has no null."""
    lines = [f"# {line}" for line in comment.splitlines()]
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if value is not None:
            is_whole = isinstance(value, float) and value.is_integer()
            lines.append(f"{field.name} = {toml_value(int(value) if is_whole else value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    import json

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _coerce(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`: ints serve as floats, lists as tuples; anything else must match."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None or (isinstance(value, str) and value == "none" and types.NoneType in arguments):
            return None
        hint = next(a for a in arguments if a is not types.NoneType)
        return _coerce(value, hint, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: {nearest(str(value), map(str, arguments), 'value')}")
        return value
    if origin is tuple:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_coerce(v, arguments[0], where) for v in items)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: {value!r} is not {_type_name(hint)}")
    return value


def _type_name(hint: Any) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(hint, str(hint))
