"""Hypothesis strategies: any JSON value, and any JSON value in the places of a well-formed one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=()), max_size=6) | st.sampled_from(
    ["", "a0", "u0", "c0", "half \ud83d", "\ude00", "text", "tool-call", "user", "[" * 600, '{"a":1e999}']
)

NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 5.0, 2**64, -(2**63) - 1, 10**400])

SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS

JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def nested(levels: int) -> Any:
    """Return a list with so many levels of nesting."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


DEEP = st.sampled_from([100, 179, 181, 220, 400, 2000]).map(nested)

ANY = JSON | DEEP


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of the values inside of a value, up to eight levels deep, and its own, which is empty."""
    found = [path]
    if len(path) == 8:
        return found
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a value with another one in a place."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = put(copied[path[0]], path[1:], new)
    return copied


def removed(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy of a value without what is in a place."""
    copied = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copied[path[0]]
    else:
        copied[path[0]] = removed(copied[path[0]], path[1:])
    return copied


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """Return a value in which up to three places hold any JSON value, or nothing at all."""
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(value)))
        if path and draw(st.booleans()):
            value = removed(value, path)
        else:
            value = put(value, path, draw(ANY))
    return value
