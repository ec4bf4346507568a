"""Turns store what text events cannot carry, and land where the sender meant them to."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.errors import BadRequest
from resumable_chat.protocol.turns import Turn, apply_turn, normalise, read_turn, tool_results

from ..chats import assistant, user


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [message["id"] for message in messages]


def test_a_turn_reads_back_as_it_was_written() -> None:
    """The message with all its parts, where it hangs, what the sender had seen, and its run."""
    message = {"id": "u", "role": "user", "parts": [{"type": "image", "source": {"type": "url", "value": "x"}}]}
    for turn in (Turn(message, "a", 7, "r"), Turn(message, None, None, None, pending=True)):
        assert read_turn(turn.chunk()) == turn


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"message": 1},
        {"message": {"id": 1, "role": "user", "parts": []}},
        {"message": {"id": "u", "parts": []}},
    ],
)
def test_a_foreign_turn_is_not_read(value: Any) -> None:
    """A turn that another program wrote badly is passed over."""
    assert read_turn({"type": "CUSTOM", "name": "resumable.turn", "value": value}) is None


@pytest.mark.parametrize(
    ("turn", "newest", "expected", "cut"),
    [
        (Turn(user("u2"), "a1", 9, None), 8, ["u1", "a1", "u2"], False),
        (Turn(user("new"), "u1", 9, None), 8, ["u1", "new"], True),
        (Turn(user("new"), None, 9, None), 8, ["new"], True),
        (Turn(user("u1", "edited"), None, 9, None), 8, ["u1"], True),
        (Turn(user("new"), "u1", 5, None), 8, ["u1", "a1", "new"], False),
        (Turn(user("u1", "edited"), None, 5, None), 8, ["u1", "a1"], False),
        (Turn(user("new"), "u1", None, None), 8, ["u1", "a1", "new"], False),
        (Turn(user("new"), "gone", 9, None), 8, ["u1", "a1", "new"], False),
        (Turn(user("u1", "again"), None, 9, None, pending=True), 8, ["u1", "a1"], False),
        (Turn(user("new"), "u1", 9, None, pending=True), 8, ["u1", "a1", "new"], False),
        (Turn(user("new"), "u1", 99, None), 8, ["u1", "a1", "new"], False),
    ],
    ids=[
        "appended",
        "hangs earlier",
        "hangs nowhere",
        "edited",
        "behind",
        "edited behind",
        "no cursor",
        "hangs on what is gone",
        "pending known",
        "pending new",
        "impossible cursor",
    ],
)
def test_a_turn_lands_where_it_hangs(turn: Turn, newest: int, expected: list[str], cut: bool) -> None:
    """What followed is cut if the sender had seen everything; a sender that was behind cuts nothing."""
    messages = [user("u1"), assistant("a1", "x")]
    assert apply_turn(messages, turn, position=10, newest_data=newest) is cut
    assert ids(messages) == expected
    if not turn.pending:
        assert turn.message in messages


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ({}, "must be a list"),
        ([], "is empty"),
        (["x"], r"messages\[0\]` must be an object"),
        ([{"id": "u", "role": "cat", "parts": []}], "role"),
        ([{"role": "user", "parts": []}], r"messages\[0\].id"),
        ([{"id": "u", "role": "user", "parts": ["x"]}], "parts"),
        ([{"id": "u", "role": "user", "parts": 3}], "parts` must be a list"),
        ([{"id": "u", "role": "user"}], "needs `parts`"),
        ([{"id": "u", "role": "user", "content": [1]}], r"content\[0\]"),
    ],
)
def test_messages_that_cannot_be_used_are_named(messages: Any, says: str) -> None:
    """The error says which message, which field, and what it should be."""
    with pytest.raises(BadRequest, match=says) as refused:
        normalise(messages)
    assert refused.value.status == 400


def test_wire_rows_become_messages_with_parts() -> None:
    """AG-UI rows with ``content`` are taken as well as UIMessages with ``parts``."""
    rows = normalise(
        [{"id": "u", "role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image", "x": 1}]}]
    )
    assert rows[0]["parts"] == [{"type": "text", "content": "a"}, {"type": "image", "x": 1}]


def test_results_of_client_tools_are_stored_as_chunks() -> None:
    """The tool rows that end an AG-UI list become TOOL_CALL_RESULTs, in order."""
    listed = normalise(
        [
            {"id": "u", "role": "user", "content": "a"},
            {"id": "t1", "role": "tool", "toolCallId": "c1", "content": "1"},
            {"id": "t2", "role": "tool", "toolCallId": "c2", "content": "2"},
        ]
    )
    assert [(chunk["toolCallId"], chunk["content"]) for chunk in tool_results(listed)] == [("c1", "1"), ("c2", "2")]
    assert tool_results(listed[:1]) == []
