"""Chunks that are AG-UI events already, and stand for themselves: state, activities, and what apps send each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...protocol.chunks import Chunk
from ...protocol.open_parts import METADATA
from .fields import Event, is_patch


def passing(chunk: Chunk) -> list[Event]:
    """Return the event for such a chunk; none if it is of another type, or if clients would not take it."""
    maker = _MAKERS.get(chunk["type"])
    event = maker(chunk) if maker is not None else None
    return [] if event is None else [event]


def _state_snapshot(chunk: Chunk) -> Event | None:
    return _kept(chunk, "type", "snapshot") if "snapshot" in chunk else None


def _state_delta(chunk: Chunk) -> Event | None:
    return _kept(chunk, "type", "delta") if is_patch(chunk.get("delta")) else None


def _activity(chunk: Chunk) -> Event | None:
    if not _named(chunk) or not isinstance(chunk.get("content"), dict):
        return None
    replaces = {"replace": chunk["replace"]} if isinstance(chunk.get("replace"), bool) else {}
    return {**_kept(chunk, "type", "messageId", "activityType", "content"), **replaces}


def _activity_delta(chunk: Chunk) -> Event | None:
    if not _named(chunk) or not is_patch(chunk.get("patch")):
        return None
    return _kept(chunk, "type", "messageId", "activityType", "patch")


def _custom(chunk: Chunk) -> Event | None:
    name = chunk.get("name")
    if not isinstance(name, str) or name.startswith(f"{METADATA}."):
        return None
    return {"type": "CUSTOM", "name": name, "value": chunk.get("value")}


def _raw(chunk: Chunk) -> Event | None:
    if "event" not in chunk:
        return None
    source = {"source": chunk["source"]} if isinstance(chunk.get("source"), str) else {}
    return {**_kept(chunk, "type", "event"), **source}


def _named(chunk: Chunk) -> bool:
    return isinstance(chunk.get("messageId"), str) and isinstance(chunk.get("activityType"), str)


def _kept(chunk: Mapping[str, Any], *keys: str) -> Event:
    return {key: chunk[key] for key in keys}


_MAKERS: Final[Mapping[str, Callable[[Chunk], Event | None]]] = {
    "STATE_SNAPSHOT": _state_snapshot,
    "STATE_DELTA": _state_delta,
    "ACTIVITY_SNAPSHOT": _activity,
    "ACTIVITY_DELTA": _activity_delta,
    "CUSTOM": _custom,
    "RAW": _raw,
}
