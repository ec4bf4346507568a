"""Messages in a form in which two folds can be compared: no dates, made-up ids counted."""

from __future__ import annotations

import json
from typing import Any

from resumable_chat.protocol.json_text import dumps
from resumable_chat.transcript import StreamProcessor

BASE = 1_000_000
"""Sequence numbers start here, so that no id of a test looks like a made-up one."""


def fold(given: Any) -> Any:
    """Return the messages that our fold makes of an input of tests/vectors, or ``{"error": True}``."""
    case = given if isinstance(given, dict) else {"chunks": given}
    processor = StreamProcessor([dict(message) for message in case.get("initialMessages", [])])
    resets = set(case.get("perTurnReset", []))
    for index, chunk in enumerate(case["chunks"]):
        if index in resets:
            processor.reset()
        if isinstance(chunk, str) and case.get("parsed"):
            chunk = json.loads(chunk)
        if processor.process(chunk, seq=BASE + index, timestamp=0) is not None:
            return {"error": True}
    if case.get("finalize"):
        processor.finalize()
    return canonical(json.loads(dumps(processor.messages)))


def canonical(messages: list[dict[str, Any]], generated: str = "-1000") -> list[dict[str, Any]]:
    """Return the messages without their createdAt, with made-up ids as gen-1, gen-2 … and with numbers as doubles."""
    text = [{key: value for key, value in message.items() if key != "createdAt"} for message in messages]
    names: dict[str, str] = {}

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(found) for key, found in value.items()}
        if isinstance(value, list):
            return [rename(found) for found in value]
        if isinstance(value, str) and value.startswith((f"msg{generated}", f"step{generated}")):
            return names.setdefault(value, f"gen-{len(names) + 1}")
        if type(value) is int:
            return float(value)
        return value

    result: list[dict[str, Any]] = rename(text)
    return result
