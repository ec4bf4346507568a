"""Chunks whose shape makes clients throw, so that readers must not get them.

TanStack AI's StreamProcessor throws at these; the client then drops its subscription, and would meet the same chunk
again after each reload.
"""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk


def flaw(chunk: Chunk) -> str | None:
    """Return what is wrong with a chunk's shape; None if clients can take it."""
    kind = chunk["type"]
    if kind == "MESSAGES_SNAPSHOT":
        return None if _is_list_of_objects(chunk.get("messages")) else "a snapshot needs a list of messages"
    if kind == "RUN_FINISHED":
        outcome = chunk.get("outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "interrupt":
            interrupts = outcome.get("interrupts")
            named = _is_list_of_objects(interrupts) and all(isinstance(each.get("id"), str) for each in interrupts)
            return None if named else "an interrupt needs a list of interrupts with ids"
    elif kind == "CUSTOM" and chunk.get("name") == "approval-requested":
        value = chunk.get("value")
        approval = value.get("approval") if isinstance(value, dict) else None
        return None if not value or isinstance(approval, dict) else "an approval request needs an approval"
    return None


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
