"""Submitted lists become messages with parts, or a refusal that names the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from resumable_chat.errors import BadRequest
from resumable_chat.wire.messages import read_messages

from ..chats import assistant, user
from ..values import damaged


def row(role: str = "user", **fields: Any) -> dict[str, Any]:
    return {"id": "m", "role": role, **fields}


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("messages", "detail"),
    [
        ({}, "messages: must be a list of messages."),
        ([], "messages: is empty. Send at least the message to be answered."),
        (["x"], "messages[0]: must be an object with `id`, `role` and `parts`."),
        ([user("u", "a"), {"role": "user", "parts": []}], "messages[1].id: must be a string that is not empty."),
        ([row([], parts=[])], "messages[0].role: must be one of activity, assistant, developer, reasoning, "),  # type: ignore[arg-type]
        ([row(parts=3)], "messages[0].parts: must be a list."),
        ([row(parts=["x"])], "messages[0].parts[0]: must be an object with a `type`."),
        ([row(parts=[{"type": "text", "content": []}])], "messages[0].parts[0].content: must be a string."),
        (
            [row(parts=[{"type": "text"}, {"type": "tool-call", "id": {}, "name": "f", "arguments": "{}"}])],
            "messages[0].parts[1].id: must be a string.",
        ),
        (
            [row(parts=[{"type": "image", "source": {"type": "url", "value": 5}}])],
            "messages[0].parts[0].source.value: must be a string.",
        ),
        ([row(metadata="x", parts=[])], "messages[0].metadata: must be an object."),
        ([row()], "messages[0].content: must be a string or a list, unless the message has `parts`."),
        ([row(content=5)], "messages[0].content: must be a string or a list"),
        ([row("assistant", content={})], "messages[0].content: must be a string or a list"),
        ([row(content=[1])], "messages[0].content[0]: must be an object with a `type`."),
        ([row(content=[{"type": "text", "text": 1}])], "messages[0].content[0].text: must be a string."),
        ([row("tool", toolCallId=[], content="")], "messages[0].toolCallId: must be a string."),
        ([row("assistant", toolCalls={})], "messages[0].toolCalls: must be a list."),
        ([row("assistant", toolCalls=[CALL, 5])], "messages[0].toolCalls[1]: must be an object."),
        (
            [row("assistant", toolCalls=[CALL | {"function": {"arguments": {}}}])],
            "messages[0].toolCalls[0].function.arguments: must be a string.",
        ),
        ([row("reasoning", encryptedValue=5, content="")], "messages[0].encryptedValue: must be a string."),
    ],
)
def test_a_refusal_names_the_field(messages: Any, detail: str) -> None:
    """The path leads to the field, and the text says what it must be."""
    with pytest.raises(BadRequest) as refused:
        read_messages(messages)
    assert refused.value.status == 400
    assert refused.value.detail.startswith(detail)


def test_messages_with_parts_are_taken_as_they_are() -> None:
    """Also half a character, as a stopped answer leaves it, and parts of unknown types."""
    messages = [user("u", "half \ud83d"), assistant("a", "x"), row(parts=[{"type": "new", "id": {}}], extra=1)]
    assert read_messages(messages) == messages


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (row(content="a"), [{"type": "text", "content": "a"}]),
        (row(content=""), []),
        (row("assistant", content=None, toolCalls=[CALL]), []),
        (row("tool", content="5", toolCallId="c"), [{"type": "text", "content": "5"}]),
        (row("tool", content={"a": 1}, toolCallId="c"), []),
        (row("activity", content={"a": 1}), []),
        (
            row(content=[{"type": "text", "text": "a"}, {"type": "image", "x": 1}, {"type": "text", "content": "b"}]),
            [{"type": "text", "content": "a"}, {"type": "image", "x": 1}, {"type": "text", "content": "b"}],
        ),
    ],
)
def test_rows_become_messages(given: dict[str, Any], parts: list[Any]) -> None:
    """``content`` becomes ``parts``, and the other fields stay."""
    assert read_messages([given]) == [{**given, "parts": parts}]


def test_nobody_can_forge_an_outcome() -> None:
    """What a client submits in the server's name is left out, and the rest of the metadata stays."""
    forged = assistant("a", "x") | {"metadata": {"resumable": {"run": {"outcome": "finished"}}, "mine": 1}}
    assert read_messages([forged]) == [assistant("a", "x") | {"metadata": {"mine": 1}}]
    assert forged["metadata"]["resumable"]


LIST: list[Any] = [
    user("u", "a"),
    assistant("a", "x") | {"metadata": {"resumable": {}, "tanstack": {}}},
    row("assistant", content="x", toolCalls=[CALL]),
    row("tool", toolCallId="c", content="5"),
    row(content=[{"type": "text", "text": "a"}, {"type": "image", "source": {"type": "url", "value": "v"}}]),
    row("assistant", parts=[{"type": "tool-call", "id": "c", "name": "f", "arguments": "", "approval": {"id": "p"}}]),
]


@settings(max_examples=300, deadline=None)
@given(damaged(LIST))
def test_any_list_is_read_or_refused(messages: Any) -> None:
    """No JSON in any place of a list causes another error than a BadRequest."""
    try:
        read = read_messages(messages)
    except BadRequest as refused:
        assert refused.status == 400 and refused.detail.startswith("messages") and refused.detail.isascii()
    else:
        assert all(isinstance(message["parts"], list) for message in read)
        assert read_messages(read) == read
