"""The shape that a chunk must have to be folded, checked before anything is changed.

The browser folds some chunks that this refuses: those that name things by numbers, lists or objects, and those that
would put into a message what a later send of it could not bring back (``protocol.message_shapes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..protocol.chunks import DELTAS, Chunk
from ..protocol.message_shapes import Rule, fields_flaw
from .js import truthy
from .values import Unfoldable, record

_TEXT: Final[Rule] = (str, "must be a string")

_CHUNKS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "TEXT_MESSAGE_START": {"messageId": _TEXT},
    "TEXT_MESSAGE_CONTENT": {"messageId": _TEXT},
    "TEXT_MESSAGE_END": {"messageId": _TEXT},
    "TOOL_CALL_START": {"toolCallId": _TEXT, "toolCallName": _TEXT, "parentMessageId": _TEXT},
    "TOOL_CALL_ARGS": {"toolCallId": _TEXT},
    "TOOL_CALL_END": {"toolCallId": _TEXT},
    "TOOL_CALL_RESULT": {"toolCallId": _TEXT},
    "RUN_STARTED": {"runId": _TEXT},
    "RUN_FINISHED": {"runId": _TEXT},
    "STEP_STARTED": {"stepName": _TEXT},
    "STEP_FINISHED": {"stepId": _TEXT, "signature": _TEXT},
    "REASONING_MESSAGE_CONTENT": {"messageId": _TEXT},
    "REASONING_ENCRYPTED_VALUE": {"entityId": _TEXT},
}

_CUSTOM: Final[Mapping[str, Mapping[str, Rule]]] = {
    "structured-output.start": {"messageId": _TEXT},
    "structured-output.complete": {"messageId": _TEXT, "raw": _TEXT},
    "approval-requested": {"toolCallId": _TEXT, "approval.id": _TEXT},
    "ui-resource": {"toolCallId": _TEXT, "toolName": _TEXT, "resource": (dict, "must be an object")},
}
"""Rules for the value of a custom event, by the event's name."""


def check(kind: str, chunk: Chunk) -> None:
    """Raise Unfoldable if the chunk cannot be folded. Its records stay in the log; only readers pass over it."""
    rules = _CHUNKS.get(kind)
    if rules is not None:
        for field in rules:
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
        flaw = fields_flaw(interrupt, {"id": _TEXT, "toolCallId": _TEXT})
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
