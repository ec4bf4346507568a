"""Chunks of our own, which every reader hides: turns, stops of runs that have not begun, and runs a stream has had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .chunks import Chunk

TURN: Final = "resumable.turn"
STOP: Final = "resumable.stop"
RUNS: Final = "resumable.runs"

_NAMES: Final = frozenset({TURN, STOP, RUNS})


def is_mark(chunk: Mapping[str, Any]) -> bool:
    """Return whether readers hide this chunk."""
    name = chunk.get("name")
    return chunk.get("type") == "CUSTOM" and isinstance(name, str) and name in _NAMES


def stop_mark(run_id: str) -> Chunk:
    """Return the chunk that stops a run before it begins, written while another run goes on."""
    return {"type": "CUSTOM", "name": STOP, "value": {"runId": run_id}}


def stopped_run(chunk: Mapping[str, Any]) -> str | None:
    """Return the run that a stop mark names, None for any other chunk."""
    found = _value(chunk, STOP).get("runId")
    return found if isinstance(found, str) else None


def runs_mark(keys: Iterable[str]) -> Chunk:
    """Return the chunk that carries the keys of earlier runs over a trim."""
    return {"type": "CUSTOM", "name": RUNS, "value": {"keys": list(keys)}}


def earlier_runs(chunk: Mapping[str, Any]) -> list[str]:
    """Return the keys that a runs mark carries, none for any other chunk."""
    found = _value(chunk, RUNS).get("keys")
    return [key for key in found if isinstance(key, str)] if isinstance(found, list) else []


def _value(chunk: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = chunk.get("value") if chunk.get("type") == "CUSTOM" and chunk.get("name") == name else None
    return value if isinstance(value, dict) else {}
