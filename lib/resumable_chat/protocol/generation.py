"""A generation read back from its records: which runs it has, what was asked in it, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import tokens
from .chunks import Chunk, decode
from .marks import stopped_run
from .open_parts import OpenParts
from .records import Kind, Record, fence_token, kind
from .turns import Turn, read_turn


@dataclass(frozen=True, slots=True)
class Generation:
    """A stream's newest generation.

    ``token`` and ``start`` are those of its opening fence; without a readable one, ``""`` and its first record.
    ``last_at`` is its last record's time in ms since 1970. ``closed`` says that a terminal fence follows. ``turn`` is
    the turn to be answered, ``results`` the tool results that were sent in place of a turn, ``stops`` the runs that
    were stopped before they began while this one went on.
    """

    token: str
    start: int
    last_at: int
    closed: bool
    parts: OpenParts
    run_ids: frozenset[str]
    stops: frozenset[str]
    turn: Turn | None
    results: tuple[Chunk, ...]


def opening_fence(records: Sequence[Record]) -> int | None:
    """Return the index of the last fence that opens a generation."""
    for index in reversed(range(len(records))):
        token = fence_token(records[index])
        if token is not None and tokens.parse(token).running:
            return index
    return None


def read_records(records: Sequence[Record], end: int) -> Generation:
    """Read the generation that begins with the first of these records; ``end`` is the number after the last one."""
    start = records[0].seq_num if records else end
    token = (fence_token(records[0]) if records else None) or ""
    parts = OpenParts(f"run-{start}", f"msg-{start}")
    run_ids: set[str] = set()
    stops: set[str] = set()
    turn: Turn | None = None
    results: list[Chunk] = []
    preamble, closed = True, False
    for record in records:
        found = fence_token(record)
        if found is not None:
            closed = not tokens.parse(found).running
        if closed or kind(record) is not Kind.DATA or (chunk := decode(record.body)) is None:
            continue
        if (asked := read_turn(chunk)) is not None:
            turn = asked
            if asked.run_id is not None:
                parts.run_id = asked.run_id
                run_ids.add(asked.run_id)
        elif (stopped := stopped_run(chunk)) is not None:
            stops.add(stopped)
        elif chunk["type"] == "RUN_STARTED":
            preamble = False
            if isinstance(chunk.get("runId"), str):
                run_ids.add(chunk["runId"])
        elif preamble and chunk["type"] == "TOOL_CALL_RESULT":
            results.append(chunk)
        parts.feed(chunk, record.timestamp)
    return Generation(
        token if tokens.parse(token).running else "",
        start,
        records[-1].timestamp if records else 0,
        closed,
        parts,
        frozenset(run_ids),
        frozenset(stops),
        turn,
        tuple(results),
    )
