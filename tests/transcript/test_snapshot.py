"""A snapshot replaces the messages, and keeps what they knew better."""

from __future__ import annotations

from typing import Any

from .canonical import fold
from .chunks import args, call, call_end, result, snapshot, start, text


def test_thoughts_go_into_the_answer_after_them() -> None:
    """Not into a tool's result, and not into a user's message."""
    thoughts = [{"id": f"t{n}", "role": "reasoning", "content": str(n)} for n in (1, 2)]
    answer = fold([snapshot(*thoughts, {"id": "a", "role": "assistant", "content": "x"})])
    assert [part["type"] for part in answer[0]["parts"]] == ["thinking", "thinking", "text"]
    asked = fold([snapshot(*thoughts, {"id": "u", "role": "user", "content": "x"})])
    assert [message["id"] for message in asked] == ["t1", "t2", "u"]


def rows(*, error: str | None = None, content: str = "plain") -> list[Any]:
    called = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    tool = {"id": "t", "role": "tool", "toolCallId": "c", "content": content} | ({"error": error} if error else {})
    return [{"id": "a", "role": "assistant", "content": "", "toolCalls": [called]}, tool]


def test_a_result_goes_to_its_call() -> None:
    """Its content is the call's output, or the text of the error if it failed."""
    for given, output in (
        ({}, "plain"),
        ({"content": "[1e999]"}, [None]),
        ({"error": "E"}, {"error": "plain"}),
        ({"error": "E", "content": '{"error":"told"}'}, {"error": "told"}),
        ({"error": "E", "content": "5"}, {"error": "Tool execution failed"}),
        ({"error": "E", "content": ""}, ""),
    ):
        messages = fold([snapshot(*rows(**given))])  # type: ignore[arg-type]
        assert len(messages) == 1
        part = messages[0]["parts"][0]
        assert (part["output"], part["state"]) == (output, "error" if "error" in given else "complete")


def test_a_result_without_its_call_brings_it_from_the_list_before() -> None:
    """It goes into the answer before it; without one, it stays a message of its own."""
    before = [start("a"), call(), args("{}"), call_end(), result("1")]
    tool = {"id": "t", "role": "tool", "toolCallId": "c", "content": "2"}
    parts = fold([*before, snapshot({"id": "b", "role": "assistant", "content": "x"}, tool)])[0]["parts"]
    assert [part["type"] for part in parts] == ["text", "tool-call", "tool-result"]
    alone = fold([*before, snapshot({"id": "u", "role": "user", "content": "x"}, tool, {**tool, "id": "t2"})])
    assert [message["id"] for message in alone] == ["u", "t", "t2"]


def test_a_call_keeps_what_the_list_before_knew() -> None:
    """Its output, state, approval and metadata, if the snapshot knows less."""
    before = [start("a"), call(metadata={"m": 1}), result("1")]
    part = fold([*before, snapshot(rows()[0])])[0]["parts"][0]
    assert (part["output"], part["state"], part["metadata"]) == (1.0, "complete", {"m": 1.0})


def test_metadata_of_null_are_those_of_the_list_before() -> None:
    """As for a row without any; a message that had none keeps its null."""
    known = start("a", metadata={"m": 1})
    for row in ({"metadata": None}, {}):
        given = snapshot({"id": "a", "role": "assistant", "parts": [], **row})
        assert fold([known, given])[0]["metadata"] == {"m": 1.0}
    assert fold([snapshot({"id": "a", "role": "assistant", "parts": [], "metadata": None})])[0]["metadata"] is None


def test_nothing_streams_after_a_snapshot() -> None:
    """A start begins an empty text, and a delta without one goes on with the text that is there."""
    given = snapshot({"id": "a", "role": "assistant", "content": "said "})
    assert fold([start("a"), text("x"), given, text("y")])[0]["parts"][0]["content"] == "said y"
    assert fold([start("a"), text("x"), given, start("a"), text("y")])[0]["parts"][0]["content"] == "y"
