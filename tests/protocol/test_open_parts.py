"""Whoever ends a generation closes what is open, tells its outcome, and settles every client."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.protocol.chunks import encode, text_content, text_end, text_start
from resumable_chat.protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from resumable_chat.protocol.open_parts import OpenParts
from resumable_chat.protocol.outcomes import Ending, Outcome

Chunk = dict[str, Any]
STARTED: Chunk = {"type": "RUN_STARTED", "runId": "r", "threadId": "t"}
STOPPED = Ending(Outcome.STOPPED)
FINISHED = Ending(Outcome.FINISHED, finish_reason="stop")
LOST = Ending(Outcome.LOST, error="Gone.")


def finished(reason: str | None = "stop", **more: Any) -> Chunk:
    return {"type": "RUN_FINISHED", "runId": "r", "finishReason": reason, **more}


def call(**more: Any) -> Chunk:
    return {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", **more}


def fed(*chunks: Chunk, at: int = 1_000) -> OpenParts:
    parts = OpenParts("run", "msg", asked_id="u")
    for index, chunk in enumerate(chunks):
        parts.feed(chunk, at + index)
    return parts


def told(chunks: list[Chunk]) -> list[tuple[str, Any]]:
    """The types of the closing chunks, each with the message or the run that it names."""
    return [(chunk["type"], chunk.get("messageId", chunk.get("runId"))) for chunk in chunks]


def outcomes(chunks: list[Chunk]) -> dict[str, dict[str, Any]]:
    return {chunk["messageId"]: chunk["metadata"]["resumable"]["run"] for chunk in chunks if "metadata" in chunk}


def test_a_stop_closes_the_text_with_its_outcome_before_the_terminal() -> None:
    """One END carries id, outcome and both times; the terminal of the run follows."""
    chunks = fed(STARTED, text_start("m"), text_content("m", "half")).end(STOPPED, 63_000)
    assert chunks == [
        {
            **text_end("m"),
            "metadata": {
                "resumable": {
                    "run": {
                        "id": "r",
                        "outcome": "stopped",
                        "startedAt": "1970-01-01T00:00:01.000Z",
                        "endedAt": "1970-01-01T00:01:03.000Z",
                    }
                }
            },
        },
        {"type": "RUN_FINISHED", "runId": "r", "finishReason": "stop", "threadId": "t"},
    ]


@pytest.mark.parametrize(
    ("chunks", "carrier"),
    [
        ([STARTED, text_start("m"), text_content("m", "x"), text_end("m")], "m"),
        ([STARTED, text_start("m"), call(parentMessageId="m")], "m"),
        ([STARTED, call(parentMessageId="m")], "m"),
        ([STARTED, text_start("a"), text_content("a", "x"), text_start("b"), text_content("b", "y")], "b"),
        ([STARTED, text_content("m", "x")], "m"),
    ],
    ids=["closed text", "tool call", "tool call alone", "two messages", "no start"],
)
def test_the_last_assistant_message_carries_the_outcome(chunks: list[Chunk], carrier: str) -> None:
    """Also when its text was closed before, or it only calls tools."""
    for ending in (STOPPED, LOST):
        assert list(outcomes(fed(*chunks).end(ending, 2_000))) == [carrier]


@pytest.mark.parametrize("chunks", [[], [STARTED], [STARTED, text_start("m"), text_content("m", " \n\ufeff")]])
def test_without_an_answer_the_user_s_message_carries_the_outcome_too(chunks: list[Chunk]) -> None:
    """Readers remove an answer of white space when its run ends well."""
    assert "u" in outcomes(fed(*chunks).end(STOPPED, 2_000))


def test_a_turn_in_the_log_names_the_user_s_message() -> None:
    """Those who read the generation back need not be told."""
    parts = OpenParts("run", "msg")
    turn = {"message": {"id": "asked", "role": "user", "parts": []}}
    parts.feed({"type": "CUSTOM", "name": "resumable.turn", "value": turn}, 1)
    assert list(outcomes(parts.end(STOPPED, 2))) == ["asked"]


def test_an_error_gets_a_message_to_stand_in() -> None:
    """Consumers would each make up an id of their own otherwise."""
    chunks = fed(STARTED).end(LOST, 2_000)
    assert told(chunks) == [("TEXT_MESSAGE_START", "msg"), ("TEXT_MESSAGE_END", "msg"), ("RUN_ERROR", "r")]
    assert outcomes(chunks)["msg"]["error"] == "Gone."


def test_a_terminal_that_came_last_has_said_how_the_run_ended() -> None:
    """A writer that dies, or a stop that comes, between the terminal and the fence changes nothing."""
    for ending in (STOPPED, LOST, FINISHED):
        parts = fed(STARTED, text_start("m"), text_content("m", "x"), finished("length"))
        assert parts.resolve(ending) == Ending(Outcome.FINISHED, finish_reason="length")
        chunks = parts.end(ending, 2_000)
        assert told(chunks) == [("TEXT_MESSAGE_END", "m")]
        assert outcomes(chunks)["m"]["finishReason"] == "length"


def test_what_follows_a_terminal_can_fail_or_be_stopped() -> None:
    """An answer that went on after its terminal is not whole; a late end of its text changes nothing."""
    begun = (STARTED, text_start("m"), text_content("m", "x"), finished("stop"))
    for more in (text_content("m", "y"), call()):
        assert outcomes(fed(*begun, more).end(LOST, 2_000))["m"]["outcome"] == "lost"
        assert outcomes(fed(*begun, more).end(STOPPED, 2_000))["m"]["outcome"] == "stopped"
    assert outcomes(fed(*begun, text_end("m")).end(LOST, 2_000))["m"]["outcome"] == "finished"


def test_an_outcome_that_was_told_is_not_told_again() -> None:
    """The writer tells it before the source's own terminal; the end of the generation adds nothing."""
    parts = fed(STARTED, text_start("m"), text_content("m", "x"))
    terminal = finished("length", usage={"totalTokens": 3})
    before = parts.before(terminal, 1_500)
    assert outcomes(before)["m"] | {"startedAt": "", "endedAt": ""} == {
        "id": "r",
        "outcome": "finished",
        "finishReason": "length",
        "startedAt": "",
        "endedAt": "",
        "usage": {"totalTokens": 3},
    }
    for chunk in [*before, terminal]:
        parts.feed(chunk, 1_500)
    assert parts.end(FINISHED, 2_000) == []


def test_after_tool_calls_the_end_brings_the_terminal_that_clients_wait_for() -> None:
    """TanStack AI takes `tool_calls` for a step of a loop and would wait for ever."""
    parts = fed(STARTED, text_start("m"), call(parentMessageId="m"))
    for chunk in [*parts.before(finished("tool_calls"), 1_500), finished("tool_calls")]:
        parts.feed(chunk, 1_500)
    chunks = parts.end(FINISHED, 2_000)
    assert [(chunk["type"], chunk["runId"], chunk["finishReason"]) for chunk in chunks] == [
        ("RUN_FINISHED", "r", "stop")
    ]
    assert outcomes(parts.end(LOST, 2_000))["m"]["outcome"] == "lost"
    assert told(parts.end(LOST, 2_000))[-1] == ("RUN_ERROR", "r")


def test_a_pending_interrupt_is_left_alone() -> None:
    """A second terminal would take the question away from the user."""
    interrupt = finished("tool_calls", outcome={"type": "interrupt", "interrupts": []})
    parts = fed(STARTED, text_start("m"), call(parentMessageId="m"), interrupt)
    assert told(parts.end(FINISHED, 2_000)) == [("TEXT_MESSAGE_END", "m")]


def test_every_open_run_gets_a_terminal() -> None:
    """Nested runs that were never finished are all closed, and the outcome names the first."""
    parts = fed({"type": "RUN_STARTED", "runId": "a"}, {"type": "RUN_STARTED", "runId": "b"})
    chunks = parts.end(STOPPED, 2_000)
    assert told(chunks) == [("TEXT_MESSAGE_END", "u"), ("RUN_FINISHED", "a"), ("RUN_FINISHED", "b")]
    assert outcomes(chunks)["u"]["id"] == "a"


def test_the_usage_of_several_runs_is_added_up() -> None:
    """An agent's loop reports each call of the model by itself."""
    parts = fed(
        STARTED,
        text_start("m"),
        text_content("m", "x"),
        finished("tool_calls", usage={"totalTokens": 3, "model": "x", "odd": True}),
        STARTED,
    )
    assert outcomes(parts.before(finished(usage={"totalTokens": 4}), 9))["m"]["usage"] == {"totalTokens": 7}


_TYPES = st.sampled_from(
    (
        *("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"),
        *("TEXT_MESSAGE_END", "TOOL_CALL_START", "CUSTOM", "REASONING_MESSAGE_CONTENT"),
    )
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_KEYS = st.sampled_from(
    (
        *("runId", "threadId", "messageId", "parentMessageId", "role", "delta", "metadata", "value"),
        *("name", "usage", "message", "error", "code", "finishReason", "outcome"),
    )
)


@given(
    chunks=st.lists(st.tuples(_TYPES, st.dictionaries(_KEYS, _JSON, max_size=5)), max_size=12),
    outcome=st.sampled_from(list(Outcome)),
    at=st.integers(-(10**20), 10**20),
)
def test_whatever_a_log_holds_it_can_be_closed(
    chunks: list[tuple[str, dict[str, Any]]], outcome: Outcome, at: int
) -> None:
    """No shape of a chunk and no timestamp makes the books raise, and what closes them can be stored."""
    parts = OpenParts("run", "msg")
    for kind, more in chunks:
        parts.feed({**more, "type": kind}, at)
    closing = parts.end(Ending(outcome), at)
    for chunk in closing:
        encode(chunk)
        parts.feed(chunk, at)
    assert not parts.open and not parts.texts


def test_what_closes_a_generation_fits_one_append() -> None:
    """However many runs and texts a source leaves open, and however long their ids are."""
    parts = OpenParts("run", "msg")
    for index in range(3_000):
        parts.feed(text_start("\ud83d" * 500 + str(index)), 1)
        parts.feed({"type": "RUN_STARTED", "runId": "\ud83d" * 500 + str(index)}, 1)
    parts.feed(text_start("x" * MAX_BATCH_BYTES), 1)
    closing = parts.end(Ending(Outcome.FAILED, error="\ud83d" * MAX_BATCH_BYTES), 2)
    assert len(closing) < MAX_BATCH_RECORDS - 100
    assert sum(len(encode(chunk)) for chunk in closing) < MAX_BATCH_BYTES - 100_000
