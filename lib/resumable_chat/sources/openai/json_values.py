"""JSON as model servers write it."""

from __future__ import annotations

import json
from typing import Any

import orjson


def parse(text: bytes) -> Any:
    """Return the JSON value, with halves of surrogate pairs and invalid UTF-8 let through. Raises ValueError."""
    try:
        return orjson.loads(text)
    except ValueError:
        try:
            return json.loads(text.decode("utf-8", "replace"), parse_constant=_no_number)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


def compact(value: Any) -> str:
    """Return a parsed value as compact JSON text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _no_number(constant: str) -> None:
    """Read NaN and Infinity as null, as JavaScript writes them."""
