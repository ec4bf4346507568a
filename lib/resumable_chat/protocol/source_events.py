"""What can be stored of an event that a source yields.

Sources are other people's code, and models make up part of what they yield. An event that browsers would stumble over
costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .chunks import Chunk
from .open_parts import MAX_ID_CHARACTERS, METADATA

_IDS: Final = ("messageId", "parentMessageId", "toolCallId", "runId", "threadId", "parentRunId")

_STRINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "TEXT_MESSAGE_CONTENT": ("delta",),
    "REASONING_MESSAGE_CONTENT": ("delta",),
    "TOOL_CALL_START": ("toolCallId", "toolCallName"),
    "TOOL_CALL_ARGS": ("toolCallId", "delta"),
    "TOOL_CALL_END": ("toolCallId",),
    "TOOL_CALL_RESULT": ("toolCallId",),
    "CUSTOM": ("name",),
}
"""Fields that an event of this type is nothing without."""

OURS: Final = "resumable."
"""Names of CUSTOM events that begin like this are this library's own."""


class Unusable(ValueError):
    """An event that cannot be stored; the message names its type and says why."""


def usable(event: object) -> Chunk:
    """Return an event as a chunk of its own, without what browsers would stumble over.

    An id that is a whole number becomes a string; any other id that is not a string of 1 to 512 characters is left
    out. Raises Unusable.
    """
    if not isinstance(event, dict):
        raise Unusable(f"a {type(event).__name__} instead of an event")
    kind = event.get("type")
    if not isinstance(kind, str):
        raise Unusable("an event without a string `type`")
    chunk: Chunk = dict(event)
    for key in _IDS:
        if key in chunk and not _is_id(chunk[key]):
            _mend_id(chunk, key)
    for key in _STRINGS.get(kind, ()):
        if not isinstance(chunk.get(key), str):
            raise Unusable(f"a {kind} without a string `{key}`")
    check = _CHECKS.get(kind)
    if check is not None:
        check(chunk)
    metadata = chunk.get("metadata")
    if isinstance(metadata, dict) and METADATA in metadata:
        chunk["metadata"] = {key: value for key, value in metadata.items() if key != METADATA}
    return chunk


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARACTERS


def _mend_id(chunk: Chunk, key: str) -> None:
    value = chunk.pop(key)
    if type(value) is int and abs(value) < 2**63:
        chunk[key] = str(value)


def _check_custom(chunk: Chunk) -> None:
    if chunk["name"].startswith(OURS):
        raise Unusable(f"a CUSTOM named {chunk['name'][:50]!r}, as only this library may name it")
    if chunk["name"] == "approval-requested":
        value = chunk.get("value")
        if not isinstance(value, dict) or not isinstance(value.get("approval"), dict):
            raise Unusable("a CUSTOM approval-requested without an object `value.approval`")


def _check_snapshot(chunk: Chunk) -> None:
    messages = chunk.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Unusable("a MESSAGES_SNAPSHOT without a list of objects `messages`")


def _mend_start(chunk: Chunk) -> None:
    if not isinstance(chunk.get("role", ""), str):
        del chunk["role"]


def _mend_finished(chunk: Chunk) -> None:
    outcome = chunk.get("outcome")
    if not isinstance(outcome, dict) or outcome.get("type") != "interrupt":
        return
    interrupts = outcome.get("interrupts")
    if not isinstance(interrupts, list):
        del chunk["outcome"]
    elif not all(isinstance(interrupt, dict) for interrupt in interrupts):
        kept = [interrupt for interrupt in interrupts if isinstance(interrupt, dict)]
        chunk["outcome"] = {**outcome, "interrupts": kept}


_CHECKS: Final[Mapping[str, Callable[[Chunk], None]]] = {
    "CUSTOM": _check_custom,
    "MESSAGES_SNAPSHOT": _check_snapshot,
    "TEXT_MESSAGE_START": _mend_start,
    "RUN_FINISHED": _mend_finished,
}
