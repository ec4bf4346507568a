"""An event that browsers would stumble over costs itself at most, and what can be mended is."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.source_events import Unusable, usable

LONG = "x" * 513


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, "NoneType"),
        ([], "list"),
        ({}, "`type`"),
        ({"type": ["CUSTOM"]}, "`type`"),
        ({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m"}, "TEXT_MESSAGE_CONTENT without a string `delta`"),
        ({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": {}}, "`delta`"),
        ({"type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": None}, "`delta`"),
        ({"type": "TOOL_CALL_START", "toolCallName": "f"}, "`toolCallId`"),
        ({"type": "TOOL_CALL_START", "toolCallId": {}, "toolCallName": "f"}, "`toolCallId`"),
        ({"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": 7}, "`toolCallName`"),
        ({"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": {"a": 1}}, "`delta`"),
        ({"type": "TOOL_CALL_END", "toolCallId": []}, "`toolCallId`"),
        ({"type": "TOOL_CALL_RESULT", "toolCallId": LONG, "content": "x"}, "`toolCallId`"),
        ({"type": "CUSTOM", "value": 1}, "`name`"),
        ({"type": "CUSTOM", "name": "resumable.turn", "value": {}}, "only this library"),
        ({"type": "CUSTOM", "name": "approval-requested", "value": {"toolCallId": "c"}}, "`value.approval`"),
        ({"type": "CUSTOM", "name": "approval-requested", "value": 7}, "`value.approval`"),
        ({"type": "MESSAGES_SNAPSHOT"}, "`messages`"),
        ({"type": "MESSAGES_SNAPSHOT", "messages": [None]}, "`messages`"),
    ],
)
def test_what_cannot_be_mended_is_refused_with_a_reason(event: Any, reason: str) -> None:
    """The reason names the type and the field."""
    with pytest.raises(Unusable, match=reason):
        usable(event)


@pytest.mark.parametrize(
    ("event", "mended"),
    [
        ({"type": "TEXT_MESSAGE_START", "messageId": 7}, {"type": "TEXT_MESSAGE_START", "messageId": "7"}),
        ({"type": "TEXT_MESSAGE_START", "messageId": []}, {"type": "TEXT_MESSAGE_START"}),
        ({"type": "TEXT_MESSAGE_START", "messageId": True}, {"type": "TEXT_MESSAGE_START"}),
        ({"type": "TEXT_MESSAGE_START", "messageId": ""}, {"type": "TEXT_MESSAGE_START"}),
        ({"type": "TEXT_MESSAGE_START", "messageId": LONG}, {"type": "TEXT_MESSAGE_START"}),
        ({"type": "TEXT_MESSAGE_START", "role": {}}, {"type": "TEXT_MESSAGE_START"}),
        ({"type": "RUN_STARTED", "runId": 10**400, "threadId": {}}, {"type": "RUN_STARTED"}),
        (
            {"type": "RUN_FINISHED", "outcome": {"type": "interrupt"}},
            {"type": "RUN_FINISHED"},
        ),
        (
            {"type": "RUN_FINISHED", "outcome": {"type": "interrupt", "interrupts": [None, {"id": "i"}]}},
            {"type": "RUN_FINISHED", "outcome": {"type": "interrupt", "interrupts": [{"id": "i"}]}},
        ),
        (
            {"type": "TEXT_MESSAGE_END", "messageId": "m", "metadata": {"resumable": {"run": {}}, "mine": 1}},
            {"type": "TEXT_MESSAGE_END", "messageId": "m", "metadata": {"mine": 1}},
        ),
    ],
)
def test_what_can_be_mended_is(event: dict[str, Any], mended: dict[str, Any]) -> None:
    """A number is an id as a string; any other id that is none is left out, and so is what only we may say."""
    assert usable(event) == mended


@pytest.mark.parametrize(
    "event",
    [
        {"type": "REASONING_START", "messageId": "r"},
        {"type": "REASONING_MESSAGE_START", "messageId": "r", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_END", "messageId": "r"},
        {"type": "REASONING_END", "messageId": "r"},
        {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "content": [{"type": "text"}]},
        {"type": "NEXT_YEAR", "anything": [1, {"a": None}]},
        {"type": "CUSTOM", "name": "mine"},
    ],
)
def test_everything_else_passes_as_it_is(event: dict[str, Any]) -> None:
    """As a chunk of its own: a source may reuse its dict."""
    chunk = usable(event)
    assert chunk == event and chunk is not event
