"""Carries out the steps that the machines of ``protocol`` ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing

from ..errors import AppendOutcomeUnknown, FencingTokenMismatch, SeqNumMismatch
from ..log.port import Log
from ..protocol.records import NewRecord
from ..protocol.steps import Answer, Append, CheckTail, Landed, Read, ReadBack, TailAt, Wait
from .readback import read_generation


def now_ms() -> int:
    """Return the time in milliseconds since 1970, the unit of record timestamps."""
    return time.time_ns() // 1_000_000


async def append(log: Log, stream: str, step: Append, body: Sequence[NewRecord] = ()) -> Answer:
    """Append the step's records, and ``body`` behind them. Return where they landed, or why it is not known."""
    try:
        appended = await log.append(
            stream, [*step.records, *body], fencing_token=step.fencing_token, match_seq_num=step.match_seq_num
        )
    except (FencingTokenMismatch, SeqNumMismatch, AppendOutcomeUnknown) as error:
        return error
    return Landed(appended.start, appended.end)


async def look(log: Log, stream: str, step: CheckTail | ReadBack | Read | Wait) -> Answer:
    """Carry out a step that writes nothing. Raises LogUnavailable."""
    match step:
        case CheckTail():
            tail = await log.tail(stream)
            return TailAt(tail.seq_num, tail.timestamp, now_ms())
        case ReadBack():
            return await read_generation(log, stream, step.end)
        case Read():
            async with aclosing(log.read(stream, 0, end=step.end)) as batches:
                return [record async for records in batches for record in records]
        case Wait():
            await asyncio.sleep(step.seconds)
            return None
