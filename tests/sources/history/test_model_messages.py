"""The history as pydantic-ai's messages."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.sources.history import to_model_messages

pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")


def shape(messages: list[Any], **options: Any) -> list[tuple[str, ...]]:
    """The kinds of the parts of each message."""
    return [tuple(part.part_kind for part in message.parts) for message in to_model_messages(messages, **options)]


def assistant(*parts: Any) -> dict[str, Any]:
    return {"id": "a", "role": "assistant", "parts": list(parts)}


def call(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool-call", "id": call_id, "name": "f", "arguments": '{"a":1}', **more}


USER = {"id": "u", "role": "user", "content": "hi"}


def test_requests_and_responses_take_turns() -> None:
    """Each round of calls is a response, with its results in the next request."""
    parts = [call("x", output="1"), call("y", output=2), {"type": "text", "content": "so"}, call("z")]
    assert shape([{"role": "system", "content": "s"}, USER, assistant(*parts), USER]) == [
        ("system-prompt", "user-prompt"),
        ("tool-call", "tool-call"),
        ("tool-return", "tool-return"),
        ("text", "tool-call"),
        ("tool-return", "user-prompt"),
    ]


def test_only_signed_thoughts_are_kept() -> None:
    """Providers take back what they signed, and refuse the rest."""
    thoughts = [{"type": "thinking", "content": "a", "signature": "s"}, {"type": "thinking", "content": "b"}]
    [response] = to_model_messages([assistant(*thoughts, {"type": "text", "content": "x"})])
    assert [part.part_kind for part in response.parts] == ["thinking", "text"]
    assert response.parts[0].signature == "s"


def test_answered_approvals_of_the_last_round_are_left_to_the_agent() -> None:
    """With ``deferred``; else, and in earlier rounds, each call has a result."""
    approved = assistant(call("x", approval={"id": "i", "approved": True}), call("y", approval={"approved": False}))
    assert shape([USER, approved], deferred=True) == [("user-prompt",), ("tool-call", "tool-call")]
    assert shape([USER, approved])[-1] == ("tool-return", "tool-return")
    assert shape([USER, approved, USER], deferred=True)[-1] == ("tool-return", "tool-return", "user-prompt")


def test_attachments_become_content() -> None:
    """Bytes or URLs; a video, which chat completions refuse, is a note."""
    parts = [
        {"type": "text", "content": "see"},
        {"type": "image", "source": {"type": "data", "value": "QUJD", "mimeType": "image/png"}},
        {"type": "image", "source": {"type": "url", "value": "https://x/y.png"}},
        {"type": "video", "source": {"type": "data", "value": "QUJD", "mimeType": "video/mp4"}},
        {"type": "document", "source": {"type": "data", "value": "aGk=", "mimeType": "text/plain"}},
    ]
    [request] = to_model_messages([{"role": "user", "parts": parts}])
    text, image, url, video, document = request.parts[0].content
    assert text == "see" and image.data == b"ABC" and url.url == "https://x/y.png" and document == "hi"
    assert "cannot read" in video
