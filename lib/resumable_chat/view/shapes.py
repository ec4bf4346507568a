"""Chunks that readers must not get, for their shape makes clients throw.

A client that throws drops its subscription, and would meet the same chunk again after each reload.
"""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk
from ..transcript import shapes
from ..transcript.values import Unfoldable, restored


def flaw(chunk: Chunk) -> str | None:
    """Return what is wrong with a chunk's shape; None if clients can take it."""
    kind = chunk["type"]
    if kind == "TEXT_MESSAGE_CONTENT" and type(chunk.get("messageId")) is str and type(chunk.get("delta")) is str:
        return None
    try:
        shapes.check(kind, restored(chunk))
    except Unfoldable as error:
        return str(error)
    if kind == "MESSAGES_SNAPSHOT":
        return None if _is_list_of_objects(chunk.get("messages")) else "`messages` must be a list of objects"
    outcome = chunk.get("outcome")
    if kind == "RUN_FINISHED" and isinstance(outcome, dict) and outcome.get("type") == "interrupt":
        named = all(isinstance(interrupt.get("id"), str) for interrupt in outcome["interrupts"])
        return None if named else "each of `outcome.interrupts` needs an `id`"
    return None


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
