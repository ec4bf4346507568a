"""A chat's history as MESSAGES_SNAPSHOT events, as clients merge them into what they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ...protocol.json_text import dumps
from .fields import Event, Row
from .rows import Rows, message_rows

MAX_CHARACTERS: Final = 8 * 1024 * 1024
"""Characters of a history's JSON. Clients refuse a frame over 10 Mi characters."""

TRUNCATED: Final = "resumable.truncated"
"""Name of the CUSTOM event that says how many messages a history has, and how many of them were sent."""

_CLEARED: Final[Row] = {"id": "resumable-cleared", "role": "reasoning", "content": ""}


def snapshots(
    messages: Sequence[Mapping[str, Any]],
    known: Sequence[Row] = (),
    *,
    thoughts: Sequence[str] = (),
    files: bool = True,
) -> list[Event]:
    """Return the events that bring a client's list to these messages.

    ``known`` are the client's rows. It keeps those that the snapshot has in its own order, and appends the others.
    Where that would mix the rows up, another snapshot empties the list before. Of a history that is too long for one
    frame the newest messages are sent. ``thoughts`` are the rows of thoughts that the client gets right after this.
    """
    rows: list[list[Row]] = []
    room = MAX_CHARACTERS
    for message in reversed(messages):
        made = message_rows(message, Rows(str(message.get("id"))), files=files)
        room -= sum(len(dumps(row)) + 1 for row in made)
        if room < 0 and rows:
            break
        rows.append(made)
    listed = [row for made in reversed(rows) for row in made]
    # Clients keep their thoughts unless a snapshot has thoughts of its own.
    thinks = any(row["role"] == "reasoning" for row in listed)
    if not thinks:
        kept = {row.get("id") for row in known if row.get("role") == "reasoning" and isinstance(row.get("id"), str)}
        listed += [{"id": thought, "role": "reasoning", "content": ""} for thought in thoughts if thought in kept]
    events = [_snapshot(listed)]
    if _mixes(known, listed):
        events.insert(0, _snapshot([_CLEARED] if thinks else []))
    if len(rows) < len(messages):
        events.append({"type": "CUSTOM", "name": TRUNCATED, "value": {"sent": len(rows), "of": len(messages)}})
    return events


def _snapshot(rows: Sequence[Row]) -> Event:
    return {"type": "MESSAGES_SNAPSHOT", "messages": [*rows]}


def _mixes(known: Iterable[Row], listed: Sequence[Row]) -> bool:
    """Return whether a client that has the ``known`` rows would end with those of the snapshot in another order."""
    order = [row["id"] for row in listed]
    named = set(order)
    kept = list(dict.fromkeys(row["id"] for row in known if isinstance(row.get("id"), str) and row["id"] in named))
    return kept != order[: len(kept)]
