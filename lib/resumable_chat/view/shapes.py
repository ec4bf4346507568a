"""Chunks that readers must not get, because their shape makes clients throw.

A client that throws drops its subscription, and would meet the same chunk again after each reload.
"""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk
from ..transcript import shapes
from ..transcript.snapshot import read_snapshot
from ..transcript.values import Unfoldable, restored


def flaw(chunk: Chunk) -> str | None:
    """Return what is wrong with a chunk's shape; None if clients can take it."""
    kind = chunk["type"]
    if kind == "TEXT_MESSAGE_CONTENT" and type(chunk.get("messageId")) is str and type(chunk.get("delta")) is str:
        return None
    try:
        shapes.check(kind, restored(chunk))
        if kind == "MESSAGES_SNAPSHOT":
            read_snapshot(chunk.get("messages"), (), str)
    except Unfoldable as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - clients may throw where the fold does
        return repr(error)
    if kind == "RUN_FINISHED":
        return _flaw_of_outcome(chunk.get("outcome"))
    if kind == "CUSTOM" and chunk.get("name") == "approval-requested":
        return _flaw_of_approval(chunk.get("value"))
    return None


def _flaw_of_outcome(outcome: Any) -> str | None:
    if not isinstance(outcome, dict) or outcome.get("type") != "interrupt":
        return None
    named = all(isinstance(interrupt.get("id"), str) for interrupt in outcome["interrupts"])
    return None if named else "each of `outcome.interrupts` needs an `id`"


def _flaw_of_approval(value: Any) -> str | None:
    asked = isinstance(value, dict) and isinstance(value.get("approval"), dict)
    return None if asked or value is None else "`value.approval` must be an object"
