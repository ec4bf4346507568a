"""Text goes into the message that its chunks name, in segments that tool calls divide."""

from __future__ import annotations

from .canonical import fold
from .chunks import call, start, text


def test_deltas_add_up() -> None:
    """Also halves of a character, deltas without a start, and numbers, as JavaScript adds them."""
    assert fold([start(), text("half \ud83d"), text("\ude00")])[0]["parts"] == [{"type": "text", "content": "half 😀"}]
    assert fold([text("x", "new"), text(5, "new"), text(None, "new")]) == [
        {"id": "new", "role": "assistant", "parts": [{"type": "text", "content": "x5"}]}
    ]


def test_a_tool_call_begins_a_new_segment() -> None:
    """Text behind it is a part of its own."""
    parts = fold([start(), text("one"), call(), text("two")])[0]["parts"]
    assert [part.get("content") for part in parts] == ["one", None, "two"]


def test_a_start_names_the_message_that_was_made_before_it() -> None:
    """Its tool calls move with it, and it streams on under its new name."""
    chunks = [call(), start("a"), text("x"), {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{}"}]
    message = fold(chunks)[0]
    assert message["id"] == "a" and message["parts"][0]["arguments"] == "{}"


def test_only_users_and_systems_have_other_roles() -> None:
    """Every other role, a list among them, is the assistant's."""
    roles = [fold([start(role=role)])[0]["role"] for role in ("user", "system", "tool", [])]  # type: ignore[arg-type]
    assert roles == ["user", "system", "assistant", "assistant"]


def test_metadata_merge_into_the_message() -> None:
    """TanStack's own are merged in turn, without the text of high-frequency chunks; null changes nothing."""
    chunks = [
        start(metadata={"a": 1, "tanstack": {"model": "m", "content": "x"}}),
        text("w"),
        text("x", metadata={"b": 2, "tanstack": {"createdAt": "2026-01-01T00:00:00Z"}}),
        {"type": "TEXT_MESSAGE_END", "messageId": "a", "metadata": None},
    ]
    tanstack = {"model": "m", "createdAt": "2026-01-01T00:00:00Z"}
    assert fold(chunks)[0]["parts"] == [{"type": "text", "content": "wx"}]
    assert fold(chunks)[0]["metadata"] == {"a": 1.0, "b": 2.0, "tanstack": tanstack}
