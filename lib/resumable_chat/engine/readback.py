"""Reads the newest generation of a stream back from its tail."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from ..log.port import Log
from ..protocol.generation import Generation, opening_fence, read_records

_FIRST_WINDOW: Final = 1000


async def read_generation(log: Log, stream: str, end: int) -> Generation:
    """Return the newest generation of the records before ``end``, read window by window back to its opening fence.

    A stream without a readable opening fence (its head was trimmed) is one generation from its first record.
    """
    window = _FIRST_WINDOW
    while True:
        start = max(0, end - window)
        async with aclosing(log.read(stream, start, end=end)) as batches:
            records = [record async for batch in batches for record in batch]
        opening = opening_fence(records)
        if opening is not None or start == 0:
            return read_records(records[opening or 0 :], end)
        window *= 4
