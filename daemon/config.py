"""Configuration: a frozen dataclass filled from the command line, a YAML file and its defaults."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import Field, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from daemon.errors import UsageError
from engines.plain_yaml import MAX_YAML_BYTES, PlainYamlError, read_yaml

Number = TypeVar("Number", int, float)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

SHOWN_CHARS = 80  # of a wrong value, in the message about it
_COMMAND_LINE = "command line"
_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def key(default: Any, parse: Callable[[Any], Any]) -> Any:
    """A dataclass field whose raw value (of file or command line) goes through `parse`.

    `parse` returns the value of the field, or raises ValueError with what it expected:
    `raise ValueError("a size such as 1280x720")`.
    """
    return field(default=default, metadata={"parse": parse})


def one_of(known: Sequence[str]) -> Callable[[object], str]:
    """A `parse` for a word out of a list."""

    def parse(value: object) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return str(value)

    return parse


def between(low: float, high: float, what: str) -> Callable[[object], float]:
    """A `parse` for a number of `what` in a range, ends included."""
    return _ranged(float, low, high, f"{what} from {low:g} to {high:g}")


def within(low: int, high: int) -> Callable[[object], int]:
    """A `parse` for a whole number in a range, ends included."""
    return _ranged(int, low, high, f"a whole number from {low} to {high}")


def _ranged(
    kind: type[Number], low: Number, high: Number, expected: str
) -> Callable[[object], Number]:
    def parse(value: object) -> Number:
        try:
            number = kind(str(value))
        except ValueError:
            raise ValueError(expected) from None
        if not low <= number <= high or isinstance(value, bool):
            raise ValueError(expected)
        return number

    return parse


def load(cls: type[T], path: Path | None, overrides: Mapping[str, object]) -> T:
    """The configuration: command line (`overrides`, None = not given) over file over default.

    Raises UsageError for a file that cannot be read, an unknown key (naming the nearest) or a
    value of the wrong kind (naming what was expected).
    """
    values = _checked(cls, _read(path), str(path)) if path is not None else {}
    given = {name: value for name, value in overrides.items() if value is not None}
    values.update(_checked(cls, given, _COMMAND_LINE))
    return cls(**values)


def _read(path: Path) -> Mapping[object, object]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_YAML_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the configuration: {error.strerror}") from error
    try:
        content = read_yaml(text)
    except PlainYamlError as error:
        raise UsageError(f"{path}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: expected lines of the form `key: value`")
    return content


def _checked(cls: type[T], raw: Mapping[Any, object], origin: str) -> dict[str, Any]:
    known = {f.name: f for f in fields(cls)}
    hints = get_type_hints(cls)
    values = {}
    for name, value in raw.items():
        if name not in known:
            raise UsageError(_unknown(name, list(known), origin))
        values[str(name)] = _value(known[name], hints[name], value, origin)
    return values


def _value(spec: Field[Any], hint: Any, value: object, origin: str) -> Any:
    parse = spec.metadata.get("parse")
    try:
        if value is None and _is_optional(hint):
            return None
        return _typed(hint, value) if parse is None else parse(value)
    except ValueError as error:
        where = (
            f"--{spec.name.replace('_', '-')}"
            if origin == _COMMAND_LINE
            else f"{origin}: {spec.name}"
        )
        raise UsageError(f"{where}: expected {error}, not {_shown(value)}") from error


def _typed(hint: Any, value: object) -> Any:
    kinds = get_args(hint) if _is_union(hint) else (hint,)
    for kind in kinds:
        if kind is Path and isinstance(value, str) and "\0" not in value:
            return Path(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            with suppress(OverflowError):  # larger than any float: no number that is wanted here
                return float(value)
            continue
        if type(value) is kind or (isinstance(value, kind) and not isinstance(value, bool)):
            return value
    raise ValueError(" or ".join(_NAMES.get(k, "a path") for k in kinds if k is not type(None)))


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _is_optional(hint: Any) -> bool:
    return _is_union(hint) and type(None) in get_args(hint)


def _unknown(name: object, known: list[str], origin: str) -> str:
    shown = _shown(name, str)
    near = difflib.get_close_matches(shown, known, n=1, cutoff=0.0)
    return f"{origin}: unknown key {shown!r}; the nearest known key is {near[0]!r}"


def _shown(value: object, form: Callable[[object], str] = repr) -> str:
    """At most SHOWN_CHARS of a value, or a few more."""
    try:
        text = form(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
