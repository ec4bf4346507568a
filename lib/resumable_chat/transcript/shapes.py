"""The shape that a chunk must have to be folded, checked before anything is changed.

The browser folds some chunks that this refuses: those that name things by numbers, lists or objects, and those that
would put into a message what a later send of it could not bring back (``protocol.message_shapes``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..protocol.chunks import DELTAS, Chunk
from ..protocol.message_shapes import PARTS, Rule, fields_flaw
from .js import truthy
from .values import Unfoldable, record

_TEXTS: Final[Mapping[str, Sequence[str]]] = {
    "TEXT_MESSAGE_START": ("messageId",),
    "TEXT_MESSAGE_CONTENT": ("messageId",),
    "TEXT_MESSAGE_END": ("messageId",),
    "TOOL_CALL_START": ("toolCallId", "toolCallName", "parentMessageId"),
    "TOOL_CALL_ARGS": ("toolCallId",),
    "TOOL_CALL_END": ("toolCallId",),
    "TOOL_CALL_RESULT": ("toolCallId",),
    "RUN_STARTED": ("runId",),
    "RUN_FINISHED": ("runId",),
    "STEP_STARTED": ("stepName",),
    "STEP_FINISHED": ("stepId", "signature"),
    "REASONING_MESSAGE_CONTENT": ("messageId",),
    "REASONING_ENCRYPTED_VALUE": ("entityId",),
}
"""The fields of a chunk that must hold a string, if they hold anything."""

_CUSTOM: Final[Mapping[str, Sequence[Rule]]] = {
    "structured-output.start": (Rule(str, "messageId"),),
    "structured-output.complete": (Rule(str, "messageId"), Rule(str, "raw")),
    "approval-requested": (Rule(str, "toolCallId"), Rule(dict, "approval", (Rule(str, "id"),))),
    "ui-resource": PARTS["ui-resource"],
}
"""Rules for the value of a custom event, by the event's name."""


def check(kind: str, chunk: Chunk) -> None:
    """Raise Unfoldable if the chunk cannot be folded. Its records stay in the log; only readers pass over it."""
    for field in _TEXTS.get(kind, ()):
        value = chunk.get(field)
        if value is not None and type(value) is not str:
            raise Unfoldable(f"{field}: must be a string")
    if kind in DELTAS:
        if isinstance(chunk.get("delta"), (dict, list)):
            raise Unfoldable("delta: must be a string")
    elif kind == "TEXT_MESSAGE_START":
        if not chunk.get("messageId"):
            raise Unfoldable("messageId: must be a string that is not empty")
    elif kind == "RUN_FINISHED":
        _check_interrupts(record(chunk.get("outcome")))
    elif kind == "CUSTOM":
        _check_custom(chunk)


def _check_interrupts(outcome: dict[str, Any]) -> None:
    if outcome.get("type") != "interrupt":
        return
    interrupts = outcome.get("interrupts")
    if not isinstance(interrupts, list) or not all(isinstance(interrupt, dict) for interrupt in interrupts):
        raise Unfoldable("outcome.interrupts: must be a list of objects")
    for index, interrupt in enumerate(interrupts):
        flaw = fields_flaw(interrupt, (Rule(str, "id"), Rule(str, "toolCallId")))
        if flaw is not None:
            raise Unfoldable(f"outcome.interrupts[{index}].{flaw}")


def _check_custom(chunk: Chunk) -> None:
    name = chunk.get("name")
    rules = _CUSTOM.get(name) if isinstance(name, str) else None
    if rules is None or not truthy(chunk.get("value")):
        return
    flaw = fields_flaw(record(chunk.get("value")), rules)
    if flaw is not None:
        raise Unfoldable(f"value.{flaw}")
