"""The history as AG-UI rows, and the input of an agent's run."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat import SourceContext
from resumable_chat.sources.history import run_input, to_ag_ui

MESSAGES: list[dict[str, Any]] = [
    {"id": "s", "role": "system", "content": "Be kind."},
    {
        "id": "u",
        "role": "user",
        "parts": [
            {"type": "text", "content": "see"},
            {"type": "image", "source": {"type": "data", "value": "QUJD", "mimeType": "image/png"}},
        ],
    },
    {
        "id": "a",
        "role": "assistant",
        "parts": [
            {"type": "thinking", "content": "hm", "stepId": "x"},
            {"type": "text", "content": "I look."},
            {"type": "tool-call", "id": "c", "name": "f", "arguments": '{"a":1}', "state": "complete", "output": 1},
            {"type": "tool-result", "toolCallId": "c", "content": "1", "state": "complete"},
            {"type": "text", "content": "Done."},
        ],
    },
    {"id": "u", "role": "user", "content": "thanks"},
]


def test_rows_have_ids_of_their_own() -> None:
    """Calls are ``toolCalls``, results ``tool`` rows, later rounds rows of their own."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert to_ag_ui(MESSAGES) == [
        {"id": "s", "role": "system", "content": "Be kind."},
        {
            "id": "u",
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "data", "value": "QUJD", "mimeType": "image/png"}},
            ],
        },
        {"id": "a", "role": "assistant", "content": "I look.", "toolCalls": [call]},
        {"id": "a-c", "role": "tool", "toolCallId": "c", "content": "1"},
        {"id": "a-2", "role": "assistant", "content": "Done."},
        {"id": "u-2", "role": "user", "content": "thanks"},
    ]


def test_a_failed_call_has_an_error() -> None:
    """Beside its content."""
    part = {"type": "tool-call", "id": "c", "name": "f", "arguments": "{}", "state": "error", "output": "boom"}
    assert to_ag_ui([{"id": "a", "role": "assistant", "parts": [part]}])[1]["error"] == "boom"


def test_the_input_of_a_run_is_valid() -> None:
    """Ids of the run, the client's state, tools and answers to interrupts."""
    pytest.importorskip("ag_ui", reason="ag-ui-protocol is not installed")
    context = SourceContext(
        stream="s",
        run_id="r",
        thread_id="t",
        message_id="m",
        data={"state": {"n": 1}, "tools": [{"name": "f", "description": "d", "parameters": {}}]},
        resume=[{"interruptId": "i", "status": "resolved", "payload": True}],
        parent_run_id="p",
    )
    made = run_input(MESSAGES, context)
    assert (made.run_id, made.thread_id, made.parent_run_id) == ("r", "t", "p")
    assert made.state == {"n": 1} and made.tools[0].name == "f" and len(made.messages) == 6
    assert made.resume[0].interrupt_id == "i"
