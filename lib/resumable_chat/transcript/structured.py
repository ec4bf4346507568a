"""Structured output: JSON that a model writes as text, shown as far as it can be parsed."""

from __future__ import annotations

from typing import Any

from ..protocol.json_text import NotJson, join_surrogates, stringify
from .js import string, truthy
from .partial_json import parse_partial
from .values import MISSING, Message, Part


def add_delta(message: Message, delta: str) -> None:
    """Add text to the message's structured output, and parse what is there so far."""
    before, at = _find(message)
    raw = join_surrogates((string(before["raw"]) if before.get("raw") is not None else "") + delta)
    part: Part = {"type": "structured-output", "status": "streaming", "raw": raw}
    try:
        partial = parse_partial(raw)
    except NotJson:
        partial = None
    if partial is not None:
        part["partial"] = partial
    elif "partial" in before:
        part["partial"] = before["partial"]
    if "reasoning" in before:
        part["reasoning"] = before["reasoning"]
    _put(message, at, part)


def complete(message: Message, value: dict[str, Any]) -> None:
    """Set the finished value of the message's structured output."""
    before, at = _find(message)
    raw = value["raw"] if truthy(value.get("raw")) else before.get("raw", "" if at is None else MISSING)
    part: Part = {"type": "structured-output", "status": "complete"}
    if "object" in value:
        part["data"] = part["partial"] = value["object"]
        if raw == "":
            raw = stringify(value["object"])
    if raw is not MISSING:
        part["raw"] = raw
    if "reasoning" in value:
        part["reasoning"] = value["reasoning"]
    _put(message, at, part)


def fail(message: Message, error: Any) -> None:
    """Mark the message's structured output as failed, unless it is complete."""
    before, at = _find(message)
    if at is None:
        _put(message, at, {"type": "structured-output", "status": "error", "raw": "", "errorMessage": error})
    elif before.get("status") != "complete":
        _put(message, at, {**before, "status": "error", "errorMessage": error})


def _find(message: Message) -> tuple[Part, int | None]:
    for at, part in enumerate(message["parts"]):
        if part.get("type") == "structured-output":
            return part, at
    return {}, None


def _put(message: Message, at: int | None, part: Part) -> None:
    if at is None:
        message["parts"].append(part)
    else:
        message["parts"][at] = part
