"""Rows of a snapshot become messages, with what TanStack packed into their metadata."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.transcript.rows import read_row
from resumable_chat.transcript.values import Unfoldable

CALL = {"id": "c", "function": {"name": "f", "arguments": '{"a":1e999}'}}

STRUCTURED = {"status": "complete", "raw": "[1]", "data": [1]}


def read(**row: Any) -> dict[str, Any]:
    return read_row({"id": "m", **row}, lambda: "made")


@pytest.mark.parametrize(
    ("row", "role", "parts"),
    [
        ({"role": "user", "content": "x"}, "user", [{"type": "text", "content": "x"}]),
        ({"role": "user", "content": ""}, "user", []),
        (
            {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "binary"}, {"type": "new"}]},
            "user",
            [{"type": "text", "content": "x"}, {"type": "new"}],
        ),
        ({"role": "developer", "content": "x"}, "system", [{"type": "text", "content": "x"}]),
        ({"role": "system", "content": None}, "system", []),
        (
            {"role": "assistant", "toolCalls": [CALL]},
            "assistant",
            [
                {
                    "type": "tool-call", "id": "c", "name": "f", "arguments": '{"a":1e999}', "state": "input-complete",
                    "input": {"a": None},
                }
            ],
        ),
        (
            {"role": "assistant", "content": "say[1]", "metadata": {"tanstack": {"structuredOutput": STRUCTURED}}},
            "assistant",
            [{"type": "text", "content": "say"}, {"type": "structured-output", **STRUCTURED}],
        ),
        (
            {"role": "tool", "toolCallId": "c", "content": "plain", "error": "E"},
            "assistant",
            [{"type": "tool-result", "toolCallId": "c", "content": "plain", "state": "error", "id": "m", "error": "E"}],
        ),
        (
            {"role": "reasoning", "content": "x", "encryptedValue": "e"},
            "assistant",
            [{"type": "thinking", "content": "x", "signature": "e"}],
        ),
        ({"role": "reasoning", "content": None}, "assistant", []),
        ({"role": "activity", "content": {}}, "assistant", []),
    ],
)  # fmt: skip
def test_rows_by_role(row: dict[str, Any], role: str, parts: list[Any]) -> None:
    """Each role of AG-UI's rows has its message."""
    message = read(**row)
    assert (message["role"], message["parts"]) == (role, parts)


def test_a_row_with_parts_is_taken_as_it_is() -> None:
    """Its parts are copied, a missing id is made, and dates that are none are left out."""
    parts = [{"type": "tool-result", "toolCallId": "c", "createdAt": "never"}, {"type": "text", "content": "x"}]
    message = read(id="", role="user", parts=parts, createdAt="2026-01-02T03:04:05+01:00", more=1)
    assert message == {
        "id": "made", "role": "user", "createdAt": "2026-01-02T02:04:05.000Z", "more": 1,
        "parts": [{"type": "tool-result", "toolCallId": "c"}, {"type": "text", "content": "x"}],
    }  # fmt: skip
    assert message["parts"][1] is not parts[1]


def test_a_packed_result_is_unpacked() -> None:
    """TanStack keeps the id, date and parts of a result in the row's metadata."""
    packed = {"id": "r", "createdAt": "2026-01-01T00:00:00Z", "content": [{"type": "text", "content": "x"}]}
    row = {"role": "tool", "toolCallId": "c", "content": "x", "metadata": {"a": 1, "tanstack": {"toolResult": packed}}}
    message = read(**row)
    assert message["metadata"] == {"a": 1}
    assert message["parts"][0] == {
        "type": "tool-result", "toolCallId": "c", "content": packed["content"], "state": "complete", "id": "r",
        "metadata": {"a": 1}, "createdAt": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip


def test_resources_in_the_metadata_are_added_once() -> None:
    """Those that the parts have already, and those without a shape, are not."""
    resource = {"type": "ui-resource", "toolCallId": "c", "toolName": "f", "resource": {"uri": "u", "mimeType": "m"}}
    metadata = {"tanstack": {"uiResources": [resource, {"type": "ui-resource"}, 5]}}
    assert read(role="assistant", content="", metadata=metadata)["parts"] == [resource]
    assert read(role="assistant", parts=[resource], metadata=metadata)["parts"] == [resource]


@pytest.mark.parametrize(
    "row",
    [
        5,
        {"id": []},
        {"id": "m", "role": "user"},
        {"id": "m", "role": "user", "content": [5]},
        {"id": "m", "role": "user", "parts": None},
        {"id": "m", "role": "user", "parts": [None]},
        {"id": "m", "role": "assistant", "content": 5},
        {"id": "m", "role": "assistant", "toolCalls": {}},
        {"id": "m", "role": "assistant", "toolCalls": [{}]},
        {"id": "m", "role": "tool", "toolCallId": []},
        {"id": "m", "role": "tool", "toolCallId": "c", "content": 5},
        {"id": "m", "role": "cat", "parts": []},
    ],
)
def test_rows_without_a_shape_are_refused(row: Any) -> None:
    """With Unfoldable, whatever they hold."""
    with pytest.raises(Unfoldable):
        read_row(row, lambda: "made")
