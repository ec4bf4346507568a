"""Names that our parts and the AI SDK's have in common, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...protocol.json_text import NotJson, deeper_than, loads

Part = dict[str, Any]
Message = dict[str, Any]

OURS: Final = "resumable"
"""Key of our own entries in an AI SDK part's provider metadata."""

MESSAGE_MARK: Final = "data-resumable-message"
"""Type of the data part that begins another message of the log within one of the AI SDK.

The AI SDK shows consecutive assistant messages as one, with the id of the first. ``data.id`` is the id of the next.
"""

EXECUTED_BY: Final = "executedBy"
"""Key in a tool call's metadata. "client" marks a call whose result came from the browser."""

CLIENT: Final = "client"

CUT_OFF: Final = "The tool's input is not valid JSON: it was cut off, or the model wrote it wrong."
"""Error text of a call whose input cannot be read."""

_MAX_METADATA_DEPTH: Final = 32
"""Levels of nesting that the client's recursive schema reads without running out of stack."""

FILE_KINDS: Final[Mapping[str, str]] = {
    "image": "image/*",
    "audio": "audio/*",
    "video": "video/*",
    "document": "application/octet-stream",
}
"""Types of our parts that are files for the AI SDK, and the media type of a file that names none."""


def message_mark(message_id: str) -> Part:
    """Return the data part that begins the log's message with this id."""
    return {"type": MESSAGE_MARK, "data": {"id": message_id}}


def provider_metadata(entries: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return provider metadata that hold our entries; None without any, and for those that clients cannot check."""
    kept = {key: value for key, value in entries.items() if value is not None}
    return {OURS: kept} if kept and not deeper_than(_MAX_METADATA_DEPTH, kept) else None


def input_of(call: Part) -> tuple[bool, Any]:
    """Return whether a call's input can be read, and the input; the raw text if it cannot. No text is an empty one."""
    if "input" in call:
        return True, call["input"]
    arguments = call.get("arguments")
    if not isinstance(arguments, str) or not arguments.strip():
        return True, {}
    try:
        return True, loads(arguments)
    except NotJson:
        return False, arguments
