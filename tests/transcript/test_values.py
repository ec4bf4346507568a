"""Values of any type are read without trust."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from resumable_chat.transcript.values import MISSING, is_id, record, restored, tanstack


def test_names_are_strings() -> None:
    """Or missing."""
    assert [is_id(value) for value in ("", "x", None, 5, True, [], {})] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_undefined_stays_itself() -> None:
    """In a copy of a state, too."""
    assert copy.deepcopy({"a": MISSING})["a"] is MISSING


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"metadata": {"tanstack": {"a": 1}}}, {"a": 1}),
        ({"tanstack": {"a": 1}}, {"a": 1}),
        ({"metadata": {}, "tanstack": {"a": 1}}, {}),
        ({"metadata": [], "tanstack": {"a": 1}}, {"a": 1}),
        ({"metadata": {"tanstack": []}}, {}),
        (None, {}),
    ],
)
def test_tanstacks_own_object_is_in_the_metadata(value: Any, expected: dict[str, Any]) -> None:
    """Or beside them, if there are none."""
    assert tanstack(value) == expected
    assert record(value) is value or record(value) == {}


def test_a_chunk_is_restored_from_its_wire_form() -> None:
    """Its own fields win, null among them; usage and interrupt errors have forms of their own."""
    packed = {"signature": "s", "input": 1, "usage": {}, "interruptErrors": []}
    chunk = {"type": "X", "input": None, "metadata": {"tanstack": packed}}
    assert restored(chunk) == {**chunk, "signature": "s"}
    plain = {"type": "X", "metadata": {}}
    assert restored(plain) is plain
