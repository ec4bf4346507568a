"""TanStack's messages become rows that every OpenAI-compatible server accepts."""

from __future__ import annotations

from typing import Any

from resumable_chat.sources.history import to_openai


def tool_call(call_id: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"type": "tool-call", "id": call_id, "name": "f", "arguments": arguments, "state": "complete", **more}


def test_a_call_and_its_result_stand_side_by_side() -> None:
    """Text before a call, the call, its result, the text after it: three rows in that order."""
    parts = [
        {"type": "thinking", "content": "hm"},
        {"type": "text", "content": "before"},
        tool_call("c", '{"a":1}', output={"b": 2}),
        {"type": "tool-result", "toolCallId": "c", "content": '{"b":2}', "state": "complete"},
        {"type": "text", "content": "after"},
    ]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert to_openai([{"id": "a", "role": "assistant", "parts": parts}]) == [
        {"role": "assistant", "content": "before", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": '{"b":2}'},
        {"role": "assistant", "content": "after"},
    ]


def test_a_call_without_a_result_is_answered() -> None:
    """A stop in the middle of a call leaves broken arguments and no result; servers refuse both."""
    rows = to_openai([{"id": "a", "role": "assistant", "parts": [tool_call("c", '{"a":')]}])
    assert rows[0]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert rows[1]["role"] == "tool" and "interrupted" in rows[1]["content"]


def test_results_in_rows_of_their_own_are_put_behind_their_call() -> None:
    """AG-UI rows are taken too; a result without a call is left out."""
    rows = to_openai(
        [
            {"id": "a", "role": "assistant", "content": None, "toolCalls": [{"id": "c", "function": {"name": "f"}}]},
            {"id": "u", "role": "user", "content": "well?"},
            {"id": "t", "role": "tool", "toolCallId": "c", "content": "1"},
            {"id": "x", "role": "tool", "toolCallId": "gone", "content": "2"},
        ]
    )
    assert [row["role"] for row in rows] == ["assistant", "tool", "user"]


def test_images_and_files_are_passed_on() -> None:
    """Data and URLs of images, inline audio and documents take the protocol's forms."""
    parts = [
        {"type": "text", "content": "what is this?"},
        {"type": "image", "source": {"type": "url", "value": "https://x/y.png"}},
        {"type": "image", "source": {"type": "data", "value": "QUJD", "mimeType": "image/png"}},
        {"type": "document", "source": {"type": "data", "value": "QUJD", "mimeType": "application/pdf"}},
        {"type": "audio", "source": {"type": "data", "value": "QUJD", "mimeType": "audio/wav"}},
        {"type": "image"},
    ]
    [row] = to_openai([{"id": "u", "role": "user", "parts": parts}])
    assert [part["type"] for part in row["content"]] == ["text", "image_url", "image_url", "file", "input_audio"]
    assert row["content"][2]["image_url"]["url"] == "data:image/png;base64,QUJD"


def test_empty_answers_are_left_out() -> None:
    """A run that failed before its first word leaves a message without content, which servers refuse."""
    assert to_openai([{"id": "a", "role": "assistant", "parts": []}]) == []
