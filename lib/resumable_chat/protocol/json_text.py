"""JSON as JavaScript reads and writes it: total for every JSON value, and the same in every process.

What orjson can do is left to orjson. It refuses lone surrogates, numbers that are no finite double, and more nesting
than 254 levels; JavaScript takes all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any, Final

import orjson

MAX_DEPTH: Final = 200
"""Levels of nesting in a record or a request. Both are sent on inside of other values, and orjson writes 254 levels."""

MAX_VALUE_DEPTH: Final = 180
"""Levels of nesting in a chunk, or in JSON that a chunk carries as text: a message made of it fits a request again."""

_ORJSON_DEPTH: Final = 1024
"""Levels of nesting that orjson reads."""

_LARGE: Final = 64 * 1024

_CONTAINERS: Final = frozenset({dict, list})
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_MAX_INDEX: Final = 2**32 - 2
_MAX_SAFE: Final = 2**53
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class NotJson(ValueError):
    """The text is not JSON, or is nested too deep."""


def loads(text: str | bytes | bytearray, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value of a JSON text, as ``JSON.parse`` does, but with null for numbers beyond doubles.

    Raises NotJson.
    """
    may_be_deep = may_be_deeper_than(max_depth, text)
    try:
        return _loads_wrapped(text, max_depth) if may_be_deep else orjson.loads(text)
    except ValueError:
        value = _loads_leniently(text)
    if may_be_deep and deeper_than(max_depth, value):
        raise NotJson(f"it is nested deeper than {max_depth} levels")
    return value


def _loads_wrapped(text: str | bytes | bytearray, max_depth: int) -> Any:
    """Read JSON inside of so many lists that orjson refuses it if it is deeper than ``max_depth``.

    This is ten times as fast as looking at the values. Raises ValueError.
    """
    levels = _ORJSON_DEPTH - max_depth
    if isinstance(text, str):
        value = orjson.loads(f"{'[' * levels}{text}{']' * levels}")
    else:
        value = orjson.loads(b"".join((b"[" * levels, text, b"]" * levels)))
    for _ in range(levels):
        (value,) = value
    return value


def may_be_deeper_than(limit: int, text: str | bytes | bytearray) -> bool:
    """Return whether a JSON text has enough brackets for more than ``limit`` levels of nesting.

    Large texts are not counted, which takes longer than to read them with care.
    """
    if not 2 * limit < len(text) < _LARGE:
        return len(text) >= _LARGE
    if isinstance(text, str):
        return text.count("[") + text.count("{") > limit
    return text.count(b"[") + text.count(b"{") > limit


def _loads_leniently(text: str | bytes | bytearray) -> Any:
    """Read JSON with lone surrogates and huge numbers, which JavaScript writes and orjson refuses."""
    try:
        if not isinstance(text, str):
            text = text.decode("utf-8", "surrogatepass")
        return json.loads(text, parse_constant=_refuse, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise NotJson("it is nested too deep") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


def _refuse(constant: str) -> Any:
    raise NotJson(f"{constant} is not JSON")


def _float(text: str) -> float | None:
    value = float(text)
    return value if abs(value) != float("inf") else None


def _int(text: str) -> int | float | None:
    """Read an integer as orjson does: exactly if it has 64 bits, otherwise as a double."""
    if len(text) <= 20 and -(2**63) <= (value := int(text)) < 2**64:
        return value
    return _float(text)


def deeper_than(limit: int, value: Any) -> bool:
    """Return whether a JSON value has more than ``limit`` levels of lists and objects."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
    return bool(level)


def dumps(value: Any) -> bytes:
    """Return compact JSON of any JSON value, with lone surrogates escaped and null for what is no finite number.

    Raises TypeError if the value holds what JSON cannot, ValueError if it holds itself.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return stringify(value).encode()


def stringify(value: Any) -> str:
    """Return the text of ``JSON.stringify``, with its forms of numbers and its order of keys.

    Raises TypeError if the value holds what JSON cannot, ValueError if it holds itself.
    """
    parts: list[str] = []
    write = parts.append
    # Each open list or object: its items, its closing bracket, and its identity.
    stack: list[tuple[Iterator[tuple[str, Any]], str, int]] = []
    open_ids: set[int] = set()
    prefix = ""
    while True:
        write(prefix)
        if isinstance(value, (dict, list, tuple)):
            if id(value) in open_ids:
                raise ValueError("the value holds itself")
            open_ids.add(id(value))
            if isinstance(value, dict):
                write("{")
                stack.append((_members(value), "}", id(value)))
            else:
                write("[")
                stack.append((_elements(value), "]", id(value)))
        else:
            write(_scalar(value))
        while stack:
            items, closing, identity = stack[-1]
            following = next(items, None)
            if following is not None:
                prefix, value = following
                break
            write(closing)
            open_ids.discard(identity)
            stack.pop()
        else:
            return "".join(parts)


def _members(value: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what goes before each value of an object, and the value: integer-like keys first, in ascending order."""
    named = {_key(key): found for key, found in value.items()}
    indices = sorted((key for key in named if _INDEX.fullmatch(key) and int(key) <= _MAX_INDEX), key=int)
    keys = dict.fromkeys(indices) | dict.fromkeys(named)
    for at, key in enumerate(keys):
        yield f"{',' if at else ''}{_quote(key)}:", named[key]


def _elements(value: list[Any] | tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    for at, found in enumerate(value):
        yield "," if at else "", found


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, (bool, int, float)):
        return _scalar(key)
    raise TypeError(f"a key must be a string, not {type(key).__name__}")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, (int, float)):
        return number(value)
    raise TypeError(f"a value of type {type(value).__name__} is not JSON")


def _quote(text: str) -> str:
    """Return a text in quotes; a lone surrogate is escaped, and a pair becomes its character."""
    if not text.isascii() and _SURROGATE.search(text):
        text = join_surrogates(text)
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", encode_basestring(text))
    return encode_basestring(text)


def number(value: float) -> str:
    """Return a number as JavaScript writes it: ``5``, ``1e-7``, ``1e+21``; null if it is no finite double."""
    if isinstance(value, int):
        if abs(value) <= _MAX_SAFE:
            return str(int(value))
        try:
            value = float(value)
        except OverflowError:
            return "null"
    if value != value or abs(value) == float("inf"):
        return "null"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + ("" if fraction == "0" else fraction)
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0)
    point -= len(digits) - len(digits := digits.lstrip("0"))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def join_surrogates(text: str) -> str:
    """Return the text with each surrogate pair, which two strings may have split, as the character it stands for."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def well_formed(value: Any) -> Any:
    """Return a JSON value with U+FFFD for each lone surrogate, which UTF-8 cannot hold. Without any, return the value.

    For what leaves for a model or another program. Browsers get escapes, so that halves of a character can meet.
    """
    try:
        orjson.dumps(value)
    except TypeError:
        return _repaired(value)
    return value


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        if value.isascii() or not _SURROGATE.search(value):
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, (list, tuple)):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return value
