"""Ending a generation from outside its writer: stop, on somebody's wish, and reap, when its writer is silent."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Final

from ..errors import AppendOutcomeUnknown, FencingTokenMismatch, LogUnavailable, SeqNumMismatch
from ..log.port import Log
from ..protocol import tokens
from ..protocol.chunks import Chunk, encode
from ..protocol.open_parts import OpenParts
from ..protocol.outcomes import WRITER_LOST
from ..protocol.records import HEARTBEAT, NewRecord, fence
from .readback import read_generation

_ATTEMPTS: Final = 12
_EXACT_ATTEMPTS: Final = 3
"""A busy writer moves the tail between our reading and our append. After this many refusals for the number alone, a
stop insists on the token only: it then closes what was open a few milliseconds earlier, which hardly ever differs."""


class Stopped(Enum):
    """What a stop found."""

    STOPPED = "stopped"
    NOTHING_RUNS = "nothing runs"


async def current_token(log: Log, stream: str) -> str:
    """The fencing token in force, learnt from an append that is bound to be refused."""
    try:
        await log.append(stream, [HEARTBEAT], fencing_token=tokens.PROBE)
    except FencingTokenMismatch as refused:
        return refused.current
    raise LogUnavailable("The log accepted an append under a token that is not in force.")


async def stop(log: Log, stream: str, *, run_id: str | None = None) -> Stopped:
    """End the running generation as finished; with ``run_id`` only if it is that run.

    When nothing runs but a run is named, the stop is left behind for it, so that it wins even if it overtakes the
    send. Raises LogUnavailable.
    """
    token = await current_token(log, stream)
    key = tokens.key_of(run_id) if run_id is not None else None
    missed = 0
    tried: set[str] = set()
    for attempt in range(_ATTEMPTS):
        if token in tried:
            return Stopped.STOPPED  # By an append whose answer was lost.
        state = tokens.parse(token)
        try:
            if not state.running:
                if key is None or state.key == key:
                    return Stopped.NOTHING_RUNS
                await log.append(stream, [fence(tokens.stopped_early(key))], fencing_token=token)
                return Stopped.NOTHING_RUNS
            tail = await log.tail(stream)
            generation = await read_generation(log, stream, tail.seq_num)
            if generation.token != token:
                token = await current_token(log, stream)
                continue
            if run_id is not None and state.key != key and run_id not in generation.run_ids:
                return Stopped.NOTHING_RUNS
            terminal = tokens.terminal(state.key)
            tried.add(terminal)
            await log.append(
                stream,
                _ending(generation.parts.finish(), terminal),
                fencing_token=token,
                match_seq_num=tail.seq_num if missed < _EXACT_ATTEMPTS else None,
            )
            return Stopped.STOPPED
        except SeqNumMismatch:
            missed += 1
        except FencingTokenMismatch as refused:
            token = refused.current
        except AppendOutcomeUnknown:
            await asyncio.sleep(0.05 * 2 ** min(attempt, 4))
            token = await current_token(log, stream)
    raise LogUnavailable("The chat is written to faster than it can be stopped. Try again.")


async def reap(
    log: Log,
    stream: str,
    *,
    token: str,
    parts: OpenParts,
    position: int,
    message: str,
) -> bool:
    """Close a generation whose writer is silent, as seen up to ``position``; False if it moved on meanwhile.

    Raises LogUnavailable.
    """
    failed = tokens.terminal(tokens.parse(token).key, failed=True)
    try:
        await log.append(
            stream,
            _ending(parts.fail(message, code=WRITER_LOST), failed),
            fencing_token=token,
            match_seq_num=position,
        )
    except (FencingTokenMismatch, SeqNumMismatch):
        return False
    return True


def _ending(chunks: list[Chunk], token: str) -> list[NewRecord]:
    return [*(NewRecord(encode(chunk)) for chunk in chunks), fence(token)]
