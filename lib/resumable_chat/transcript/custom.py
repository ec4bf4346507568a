"""CUSTOM: structured output, approvals and UI resources."""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk
from . import structured
from .js import truthy
from .runs import ask_approval
from .state import Fold
from .values import MISSING, Part, Unfoldable, record


def custom(fold: Fold, chunk: Chunk) -> None:
    """Fold the custom events that StreamProcessor knows; any other changes no message."""
    name = chunk.get("name")
    handle = _HANDLERS.get(name) if isinstance(name, str) else None
    if handle is not None and truthy(chunk.get("value")):
        handle(fold, record(chunk.get("value")))


def _structured_target(fold: Fold, value: dict[str, Any]) -> Any:
    named = value.get("messageId")
    return fold.ensure_assistant(named if named is not None else fold.active_assistant())[0]


def _structured_start(fold: Fold, value: dict[str, Any]) -> None:
    fold.streaming.structured[_structured_target(fold, value)] = None


def _structured_complete(fold: Fold, value: dict[str, Any]) -> None:
    message_id = _structured_target(fold, value)
    for message in fold.messages.named(message_id):
        structured.complete(message, value)
    fold.streaming.structured.pop(message_id, None)


def _approval_requested(fold: Fold, value: dict[str, Any]) -> None:
    call_id = value.get("toolCallId")
    target = fold.active_assistant()
    if target is None:
        target = fold.streaming.call_owners.get(call_id)
    if truthy(target) and value.get("approval") is None:
        raise Unfoldable("`value.approval` must be an object")
    ask_approval(fold, target, call_id, record(value.get("approval")).get("id", MISSING))


def _ui_resource(fold: Fold, value: dict[str, Any]) -> None:
    target = fold.streaming.call_owners.get(value.get("toolCallId"))
    if target is None:
        target = fold.active_assistant()
    part: Part = {"type": "ui-resource"}
    part |= {key: value[key] for key in ("resource", "toolCallId", "toolName", "serverId", "meta") if key in value}
    for message in fold.messages.named(target) if target is not None else ():
        message["parts"].append(dict(part))


_HANDLERS = {
    "structured-output.start": _structured_start,
    "structured-output.complete": _structured_complete,
    "approval-requested": _approval_requested,
    "ui-resource": _ui_resource,
}
