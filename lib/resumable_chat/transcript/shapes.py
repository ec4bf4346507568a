"""The shape that a chunk must have to be folded, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..protocol.chunks import DELTAS, Chunk
from .js import truthy
from .values import ID_TYPES, Unfoldable, record

_IDS: Final[Mapping[str, tuple[str, ...]]] = {
    "TEXT_MESSAGE_START": ("messageId",),
    "TEXT_MESSAGE_CONTENT": ("messageId",),
    "TEXT_MESSAGE_END": ("messageId",),
    "TOOL_CALL_START": ("toolCallId", "parentMessageId"),
    "TOOL_CALL_ARGS": ("toolCallId",),
    "TOOL_CALL_END": ("toolCallId",),
    "TOOL_CALL_RESULT": ("toolCallId",),
    "RUN_STARTED": ("runId",),
    "RUN_FINISHED": ("runId",),
    "STEP_STARTED": ("stepName",),
    "STEP_FINISHED": ("stepId",),
    "REASONING_MESSAGE_CONTENT": ("messageId",),
    "REASONING_ENCRYPTED_VALUE": ("entityId",),
}
"""The fields of a chunk that name something."""

_CUSTOM_IDS: Final[Mapping[str, str]] = {
    "structured-output.start": "messageId",
    "structured-output.complete": "messageId",
    "approval-requested": "toolCallId",
    "ui-resource": "toolCallId",
}
"""The field of a custom event's value that names something, by the event's name."""


def check(kind: str, chunk: Chunk) -> None:
    """Raise Unfoldable if the browser would throw at the chunk, or if it names something by a list or an object."""
    for field in _IDS.get(kind, ()):
        if type(chunk.get(field)) not in ID_TYPES:
            raise Unfoldable(f"`{field}` must be a string")
    if kind in DELTAS and isinstance(chunk.get("delta"), (dict, list)):
        raise Unfoldable("`delta` must be a string")
    if kind == "RUN_FINISHED":
        _check_interrupts(record(chunk.get("outcome")))
    elif kind == "CUSTOM":
        _check_custom(chunk)


def _check_interrupts(outcome: dict[str, Any]) -> None:
    if outcome.get("type") == "interrupt":
        interrupts = outcome.get("interrupts")
        if not isinstance(interrupts, list) or not all(isinstance(interrupt, dict) for interrupt in interrupts):
            raise Unfoldable("`outcome.interrupts` must be a list of objects")


def _check_custom(chunk: Chunk) -> None:
    name, value = chunk.get("name"), record(chunk.get("value"))
    field = _CUSTOM_IDS.get(name) if isinstance(name, str) else None
    if field is None or not truthy(chunk.get("value")):
        return
    if type(value.get(field)) not in ID_TYPES:
        raise Unfoldable(f"`value.{field}` must be a string")
