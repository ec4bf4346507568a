"""Structured output is shown as far as it can be parsed, and as its value once it is complete."""

from __future__ import annotations

from typing import Any

import pytest

from .canonical import fold
from .chunks import custom, run_finished, start, text

BEGUN = [start(), custom("structured-output.start", {"messageId": "a"})]


def part(*chunks: Any) -> Any:
    return fold([*BEGUN, *chunks])[0]["parts"][0]


def test_text_is_parsed_as_far_as_it_goes() -> None:
    """What cannot be parsed leaves the value before it."""
    assert part(text('{"a":[1,2')) == {
        "type": "structured-output", "status": "streaming", "raw": '{"a":[1,2', "partial": {"a": [1.0, 2.0]}
    }  # fmt: skip
    assert "partial" not in part(text("nonsense"))


@pytest.mark.parametrize("raw", ["[" * 520, '{"a":' * 520, "[" * 100_000, "[" * 181 + "]" * 181])
def test_what_is_nested_too_deep_stays_text(raw: str) -> None:
    """The part has its text and no value, and the messages can be sent on."""
    assert part(text(raw)) == {"type": "structured-output", "status": "streaming", "raw": raw}
    assert part(text(raw), run_finished())["status"] == "error"


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ({"object": {"a": 5.0, "2": 1}}, "1"),
        ({"object": {"a": 1}, "raw": "R"}, "R"),
        ({}, "1"),
    ],
)
def test_the_text_of_a_complete_value_is_what_came(value: dict[str, Any], raw: str) -> None:
    """The chunk's own text goes first, then the text that streamed."""
    complete = part(text("1"), custom("structured-output.complete", value))
    assert (complete["status"], complete["raw"]) == ("complete", raw)
    assert complete.get("data") == complete.get("partial") == value.get("object")


def test_a_value_without_text_is_written_as_javascript_writes_it() -> None:
    """It can be sent to the model again."""
    complete = part(custom("structured-output.complete", {"object": {"a": 5.0, "2": 1}, "reasoning": ""}))
    assert (complete["raw"], complete["reasoning"]) == ('{"2":1,"a":5}', "")


def test_an_error_does_not_undo_a_complete_value() -> None:
    """What came stays."""
    complete = custom("structured-output.complete", {"object": 1})
    assert part(complete, BEGUN[1], {"type": "RUN_ERROR", "message": "no"})["status"] == "complete"
