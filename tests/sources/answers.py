"""What an answer's chunks come to, for tests to compare."""

from __future__ import annotations

from typing import Any


def text(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "TEXT_MESSAGE_CONTENT")


def thinking(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "REASONING_MESSAGE_CONTENT")


def tool_calls(chunks: list[dict[str, Any]]) -> list[list[str]]:
    """Name and arguments of each call, in the order of their starts."""
    calls = {chunk["toolCallId"]: [chunk["toolCallName"], ""] for chunk in chunks if chunk["type"] == "TOOL_CALL_START"}
    for chunk in chunks:
        if chunk["type"] == "TOOL_CALL_ARGS":
            calls[chunk["toolCallId"]][1] += chunk["delta"]
    return list(calls.values())


_PAIRS = {
    "TEXT_MESSAGE_START": ("TEXT_MESSAGE_END", "messageId"),
    "TOOL_CALL_START": ("TOOL_CALL_END", "toolCallId"),
    "REASONING_START": ("REASONING_END", "messageId"),
    "REASONING_MESSAGE_START": ("REASONING_MESSAGE_END", "messageId"),
    "STEP_STARTED": ("STEP_FINISHED", "stepName"),
    "RUN_STARTED": ("RUN_FINISHED", "runId"),
}
_ENDS = {end: (start, key) for start, (end, key) in _PAIRS.items()}
_INSIDE = {
    "TEXT_MESSAGE_CONTENT": ("TEXT_MESSAGE_START", "messageId"),
    "TOOL_CALL_ARGS": ("TOOL_CALL_START", "toolCallId"),
    "REASONING_MESSAGE_CONTENT": ("REASONING_MESSAGE_START", "messageId"),
}


def check_pairs(chunks: list[dict[str, Any]], *, whole: bool = True) -> None:
    """Each part begins before its content and, in a whole answer, ends after it, once, before the run does."""
    opened: set[tuple[str, str]] = set()
    seen: set[tuple[str, str]] = set()
    for chunk in chunks:
        kind = chunk["type"]
        if kind in _PAIRS:
            part = (kind, chunk[_PAIRS[kind][1]])
            assert part not in seen, f"{part} starts twice"
            seen.add(part)
            opened.add(part)
        elif kind in _ENDS:
            start, key = _ENDS[kind]
            assert (start, chunk[key]) in opened, f"{chunk} without a start"
            opened.remove((start, chunk[key]))
            assert kind != "RUN_FINISHED" or not opened, f"{opened} still open at the end"
        elif kind in _INSIDE:
            start, key = _INSIDE[kind]
            assert (start, chunk[key]) in opened, f"{chunk} outside its part"
            assert chunk["delta"]
    assert not whole or not opened
