"""Values have the truth, text and dates that they have in JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from resumable_chat.transcript.js import added_text, blank, date, is_moment, iso, string, truthy

from ..values import JSON


@pytest.mark.parametrize(
    ("value", "expected"),
    [([], True), ({}, True), ("", False), (0, False), (float("nan"), False), (None, False), ("0", True), (-1, True)],
)
def test_truth(value: Any, expected: bool) -> None:
    """Empty lists and objects are true."""
    assert truthy(value) is expected


def test_text() -> None:
    """Lists are joined, objects say only that they are one, and falsy values add nothing."""
    values = ["x", True, 5.0, 1e21, None, [1, None, ["a"]], {}]
    assert [string(value) for value in values] == ["x", "true", "5", "1e+21", "null", "1,,a", "[object Object]"]
    assert [added_text(value) for value in (None, 0, False, 2, "")] == ["", "", "", "2", ""]


def test_blanks_are_those_of_trim() -> None:
    """A byte order mark is one, a file separator is not."""
    assert blank("\ufeff\u3000\n\v") and not blank("\x1c") and not blank("\x85")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05.000Z"),
        ("2026-01-02T03:04", "2026-01-02T03:04:00.000Z"),
        ("2026-01-02", "2026-01-02T00:00:00.000Z"),
        ("2026-02", "2026-02-01T00:00:00.000Z"),
        ("2026", "2026-01-01T00:00:00.000Z"),
        ("2026-13-01", None),
        ("20260102", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("never", None),
        (5, None),
        (None, None),
    ],
)
def test_dates(value: Any, expected: str | None) -> None:
    """What is no ISO date is none."""
    assert date(value) == expected


@given(JSON)
def test_any_value_is_a_date_or_none(value: Any) -> None:
    """Nothing is raised, also for moments beyond all dates."""
    assert date(value) is None or isinstance(date(value), str)
    if is_moment(value):
        assert iso(value).endswith("Z")
