"""Ends a generation from outside its writer: stop, on somebody's wish, and reap, when its writer is silent."""

from __future__ import annotations

import asyncio
from typing import Final

from ..errors import FencingTokenMismatch, LogUnavailable, SeqNumMismatch
from ..log.port import Log
from ..protocol import tokens
from ..protocol.chunks import encode
from ..protocol.open_parts import OpenParts
from ..protocol.outcomes import Ending, Outcome
from ..protocol.records import NewRecord, fence
from ..protocol.steps import Append
from ..protocol.stop import NothingRuns, Stop, Stopped
from .steps import append, look, now_ms

PATIENCE: Final = 10.0
"""Seconds after which a stop gives up on a log that does not answer."""


async def stop(log: Log, stream: str, *, run_id: str | None = None, single_use: bool = False) -> Stopped | NothingRuns:
    """End the running generation as stopped; with ``run_id`` only if it has that run.

    A run that has not begun yet is stopped in advance. Raises LogUnavailable.
    """
    machine = Stop(run_id, single_use=single_use)
    try:
        async with asyncio.timeout(PATIENCE):
            while not isinstance(step := machine.next(), (Stopped, NothingRuns)):
                machine.feed(await (append(log, stream, step) if isinstance(step, Append) else look(log, stream, step)))
            return step
    except TimeoutError as error:
        raise LogUnavailable("The log does not answer, so it is not known whether the run was stopped.") from error


async def reap(log: Log, stream: str, *, token: str, parts: OpenParts, position: int, message: str) -> bool:
    """Close a generation whose writer is silent, as seen up to ``position``. Return False if it moved on meanwhile.

    Raises LogUnavailable.
    """
    chunks = parts.end(Ending(Outcome.LOST, error=message), now_ms())
    closing = fence(tokens.terminal(tokens.parse(token).key, failed=True))
    try:
        await log.append(
            stream,
            [*(NewRecord(encode(chunk)) for chunk in chunks), closing],
            fencing_token=token,
            match_seq_num=position,
        )
    except (FencingTokenMismatch, SeqNumMismatch):
        return False
    return True
