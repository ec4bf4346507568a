"""Generations for the tests of the AI SDK's wire format."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from resumable_chat.view.view import View
from resumable_chat.wire.ai_sdk import AnswerStream

from ...logs import OURS, answer, body, finished, message, records, turn, view_of
from .client import UIChunk, chunks_in

Chunk = dict[str, Any]

ASKED = [OURS, *turn(message("u"), run_id="r")]


def text(delta: str, message_id: str = "a") -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def thought(delta: str, message_id: str = "t") -> Chunk:
    return {"type": "REASONING_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def call(call_id: str, arguments: str | None = "{}", *, name: str = "f", ends: bool = True) -> list[Chunk]:
    """A tool call's chunks; without arguments it has none, and it may stay open."""
    return [
        {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": name, "parentMessageId": "a"},
        *([] if arguments is None else [{"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": arguments}]),
        *([{"type": "TOOL_CALL_END", "toolCallId": call_id}] if ends else []),
    ]


def result(call_id: str, content: Any = '"done"', **more: Any) -> Chunk:
    return {"type": "TOOL_CALL_RESULT", "toolCallId": call_id, "messageId": f"r-{call_id}", "content": content, **more}


def started(*chunks: Chunk, message_id: str = "a") -> list[Chunk]:
    """A run that has begun, with these chunks in it."""
    return [*answer(message_id, "r", finish=False), *chunks]


def ended(*chunks: Chunk, reason: str = "stop") -> View:
    """The view of an answered question."""
    return view_of(*ASKED, *started(*chunks), finished("r", reason), "end-0")


def sent(view: View, cursor: int | None = None, **options: Any) -> bytes:
    """What a reader gets first."""
    return body(AnswerStream(**options).opening(view, cursor))


def read(view: View, cursor: int | None = None, **options: Any) -> list[UIChunk]:
    return chunks_in(sent(view, cursor, **options))


def live(*items: str | bytes | Chunk, before: int = len(ASKED), **options: Any) -> tuple[bytes, View]:
    """What a reader gets that was there when the answer began, record by record."""
    view = view_of(*items[:before])
    wire = AnswerStream(**options)
    got = [body(wire.opening(view, None))]
    for record in records(*items)[before:]:
        got += [body(wire.live(view, events)) for events in view.feed([record]) if events]
    return b"".join(got), view


_ids = st.sampled_from(["a", "b", "u"])
_calls = st.sampled_from(["c", "d"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["__proto__", "constructor", "prototype", "x", "error"]), inner, max_size=2)
    ),
    max_leaves=5,
)
_deltas = st.sampled_from(["x", " ", "\n\t", "", "{", '{"a":1}', "\ud83d", "\ude00", "half"])

ANY_CHUNK = st.one_of(
    st.builds(
        lambda i, role: {"type": "TEXT_MESSAGE_START", "messageId": i, "role": role},
        _ids,
        st.sampled_from(["assistant", "assistant", "user"]),
    ),
    st.builds(lambda i, delta: text(delta, i), _ids, _deltas),
    st.builds(lambda i, more: {"type": "TEXT_MESSAGE_END", "messageId": i, "metadata": more}, _ids, _json),
    st.builds(lambda i, delta: thought(delta, i), _ids, _deltas),
    st.builds(lambda name: {"type": "STEP_STARTED", "stepName": name}, st.sampled_from(["s", "t"])),
    st.builds(lambda sign: {"type": "STEP_FINISHED", "stepId": "s", "signature": sign}, st.sampled_from([None, "S"])),
    st.builds(
        lambda i, kind: {
            "type": "REASONING_ENCRYPTED_VALUE",
            "entityId": i,
            "subtype": kind,
            "encryptedValue": "E",
        },
        _calls,
        st.sampled_from(["tool-call", "message"]),
    ),
    st.builds(
        lambda i, more: {"type": "TOOL_CALL_START", "toolCallId": i, "toolCallName": "f", "metadata": more},
        _calls,
        _json,
    ),
    st.builds(lambda i, delta: {"type": "TOOL_CALL_ARGS", "toolCallId": i, "delta": delta}, _calls, _deltas),
    st.builds(lambda i: {"type": "TOOL_CALL_END", "toolCallId": i}, _calls),
    st.builds(lambda i, given: {"type": "TOOL_CALL_END", "toolCallId": i, "input": given}, _calls, _json),
    st.builds(
        lambda i, content, state: result(i, content, state=state),
        _calls,
        _json,
        st.sampled_from([None, "output-error"]),
    ),
    st.builds(
        lambda name, value: {"type": "CUSTOM", "name": name, "value": value},
        st.sampled_from(["note", "ui-resource", "approval-requested", "structured-output.start"]),
        _json,
    ),
    st.builds(
        lambda i: {"type": "CUSTOM", "name": "approval-requested", "value": {"toolCallId": i, "approval": {"id": "p"}}},
        _calls,
    ),
    st.builds(
        lambda i, why: {
            "type": "RUN_FINISHED",
            "runId": "r",
            "outcome": {"type": "interrupt", "interrupts": [{"id": "i", "toolCallId": i, "reason": why}]},
        },
        _calls,
        st.sampled_from(["approval_required", "input_required"]),
    ),
    st.sampled_from(
        [
            {"type": "RUN_STARTED", "runId": "r2"},
            finished("r", "tool_calls"),
            {"type": "RUN_ERROR", "message": "no"},
            {"type": "SOMETHING_NEW", "value": 1},
            {"type": "MESSAGES_SNAPSHOT", "messages": []},
        ]
    ),
)
"""A chunk that a source may yield, or another writer may have left, in any order."""

FENCES = st.sampled_from(["end-0", "error-0", "session-1b2c3d4e"])
