"""Short names for the chunks of tests."""

from __future__ import annotations

from typing import Any

Chunk = dict[str, Any]


def start(message_id: str = "a", role: str = "assistant", **fields: Any) -> Chunk:
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role, **fields}


def text(delta: Any, message_id: str = "a", **fields: Any) -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta, **fields}


def call(call_id: str = "c", name: str = "f", **fields: Any) -> Chunk:
    return {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": name, **fields}


def args(delta: str, call_id: str = "c") -> Chunk:
    return {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta}


def call_end(call_id: str = "c", **fields: Any) -> Chunk:
    return {"type": "TOOL_CALL_END", "toolCallId": call_id, **fields}


def result(content: Any, call_id: str = "c", **fields: Any) -> Chunk:
    return {"type": "TOOL_CALL_RESULT", "toolCallId": call_id, "content": content, **fields}


def thought(delta: str, message_id: str = "t") -> Chunk:
    return {"type": "REASONING_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def run_started(run_id: str = "r") -> Chunk:
    return {"type": "RUN_STARTED", "runId": run_id}


def run_finished(run_id: str = "r", **fields: Any) -> Chunk:
    return {"type": "RUN_FINISHED", "runId": run_id, **fields}


def custom(name: str, value: Any) -> Chunk:
    return {"type": "CUSTOM", "name": name, "value": value}


def snapshot(*rows: Any) -> Chunk:
    return {"type": "MESSAGES_SNAPSHOT", "messages": list(rows)}
