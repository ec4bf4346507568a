"""Reads a generation back from the tail of its stream."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from ..log.port import Log
from ..protocol.chunks import decode
from ..protocol.open_parts import OpenParts
from ..protocol.records import Kind, Record, fence_token, kind
from ..protocol.turns import read_turn

_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class Generation:
    """The newest generation of a stream: its opening fence, and what is open in it.

    ``end`` is the sequence number after the last record seen.
    """

    token: str
    start: int
    end: int
    parts: OpenParts
    run_ids: frozenset[str]


async def read_generation(log: Log, stream: str, tail: int) -> Generation:
    """The generation whose records end at ``tail``, read back window by window to its opening fence.

    A stream that has no fence any more (its head was trimmed) is one generation from its first record.
    """
    window = _WINDOW
    while True:
        start = max(0, tail - window)
        async with aclosing(log.read(stream, start, end=tail)) as batches:
            records = [record async for batch in batches for record in batch]
        opening = next((i for i in reversed(range(len(records))) if kind(records[i]) is Kind.FENCE), None)
        if opening is not None or start == 0:
            return _generation(records[opening or 0 :], tail)
        window *= 4


def _generation(records: list[Record], tail: int) -> Generation:
    first = records[0].seq_num if records else tail
    token = (fence_token(records[0]) if records else None) or ""
    parts = OpenParts(f"run-{first}", f"msg-{first}")
    run_ids: set[str] = set()
    for record in records:
        if kind(record) is not Kind.DATA:
            continue
        chunk = decode(record.body)
        if chunk is None:
            continue
        turn = read_turn(chunk)
        if turn is not None and turn.run_id is not None:
            parts.run_id = turn.run_id
            run_ids.add(turn.run_id)
        if chunk["type"] == "RUN_STARTED" and isinstance(chunk.get("runId"), str):
            run_ids.add(chunk["runId"])
        parts.feed(chunk, record.timestamp)
    end = records[-1].seq_num + 1 if records else tail
    return Generation(token, first, end, parts, frozenset(run_ids))
