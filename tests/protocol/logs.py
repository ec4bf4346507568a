"""Records as a log returns them, and machines walked through their steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from resumable_chat.protocol.generation import Generation, read_records
from resumable_chat.protocol.records import HEARTBEAT, NewRecord, Record, fence
from resumable_chat.protocol.steps import Append, CheckTail, Read, ReadBack, Wait

Entry = str | dict[str, Any] | None
"""A token that a fence sets, a chunk, or a heartbeat."""


def new(entry: Entry) -> NewRecord:
    if entry is None:
        return HEARTBEAT
    return fence(entry) if isinstance(entry, str) else NewRecord(json.dumps(entry).encode())


def log(*entries: Entry, start: int = 0) -> list[Record]:
    """The records of these entries, one second apart."""
    made = [new(entry) for entry in entries]
    return [Record(start + index, 1000 * (start + index), r.body, r.headers) for index, r in enumerate(made)]


def generation(*entries: Entry, start: int = 0) -> Generation:
    records = log(*entries, start=start)
    return read_records(records, start + len(records))


def walk(machine: Any, answers: Sequence[Any]) -> list[Any]:
    """Feed the answers one by one. Return the steps that were asked for, and what comes after them."""
    steps = []
    for answer in answers:
        step = machine.next()
        assert isinstance(step, (Append, CheckTail, ReadBack, Read, Wait)), (step, answer)
        steps.append(step)
        machine.feed(answer)
    return [*steps, machine.next()]


def types(records: Sequence[NewRecord]) -> list[str]:
    """Chunk types, and fences as what their tokens begin with."""
    return [
        f"<{record.body.decode().split('-')[0]}>" if record.headers else json.loads(record.body)["type"]
        for record in records
    ]
