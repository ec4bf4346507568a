"""Drives a generation's Writer: carries out the appends and reads that it asks for, and tells it what came of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial
from types import TracebackType
from typing import Final, Self

from ..errors import FencingTokenMismatch, LogUnavailable, SeqNumMismatch
from ..log.port import Appended, AppendSession, Log
from ..protocol.outcomes import Ending
from ..protocol.records import Record
from ..protocol.writer import Batch, ReadFrom, State, Wait, Writer
from .steps import now_ms

logger = logging.getLogger(__name__)

_LAST_ANSWERS: Final = 1.0
"""Seconds that appends which nobody waits for any more get to come back before they are called off."""


class Lost(Exception):
    """The generation is no longer ours: it was stopped or taken over, or the log stayed out of reach."""


class Pump:
    """The tasks and connections behind one Writer; ``async with`` starts and stops them.

    ``on_lost`` is called once, as soon as the generation is known to be lost.
    """

    def __init__(self, log: Log, stream: str, writer: Writer, *, on_lost: Callable[[], None] = lambda: None) -> None:
        self._log = log
        self._stream = stream
        self._writer = writer
        self._on_lost = on_lost
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = AsyncExitStack()
        self._session: AppendSession | None = None
        self._tickets: set[asyncio.Future[Appended]] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"append {self._stream}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        if error is not None or not self._writer.finishing:
            while not self._task.done():
                # One cancellation may be swallowed by a library that waits for an answer which comes just then.
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=1)
        await asyncio.gather(self._task, return_exceptions=True)

    async def push(self, event: object) -> str | None:
        """Hand over a source's event once there is room for it; return why it was dropped, if it was.

        Raises Lost, and ChunkTooLarge for an event that is over the limit of one record.
        """
        while self._writer.full and not self._writer.finishing and not self._writer.done:
            self._room.clear()
            await self._room.wait()
        self._check()
        dropped = self._writer.push(event, self._now(), now_ms())
        self._wake.set()
        return dropped

    def end(self, ending: Ending, token: str) -> None:
        """End the generation with this terminal token; nothing more is taken from the source. See ``finished``."""
        self._writer.finish(ending, token, self._now(), now_ms())
        self._changed()

    async def settled(self, within: float | None = None) -> None:
        """Wait until all is durable or lost, for so many seconds at most."""
        assert self._task is not None
        await asyncio.wait({self._task}, timeout=within)

    async def finished(self) -> None:
        """Wait until all is durable. Raises Lost."""
        await self.settled()
        self._check()

    def abandon(self) -> None:
        """Write nothing more: this process knows already that the generation was ended by someone else."""
        self._writer.superseded("ended by this process")
        self._changed()

    def _check(self) -> None:
        if self._writer.lost:
            raise Lost(self._writer.why)

    def _changed(self) -> None:
        self._wake.set()
        self._room.set()
        if self._writer.lost:
            told, self._on_lost = self._on_lost, lambda: None
            told()

    async def _run(self) -> None:
        try:
            while not self._writer.done:
                match self._writer.take(self._now()):
                    case Batch() as batch:
                        await self._append(batch)
                    case ReadFrom(start):
                        await self._read(start)
                    case Wait(until):
                        await self._wait(until)
        except Exception as error:
            logger.exception("writing to %s failed", self._stream)
            self._writer.give_up(f"writing failed: {error!r}")
        finally:
            self._changed()
            await self._leave()

    async def _wait(self, until: float | None) -> None:
        if self._writer.state is not State.WRITING:
            await self._close_session()
        timer = None if until is None else asyncio.get_running_loop().call_at(until, self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()

    async def _append(self, batch: Batch) -> None:
        self._room.set()
        records, token, start = batch.records, self._writer.token, batch.start
        try:
            landing: Awaitable[Appended]
            if batch.alone:
                await self._close_session()
                landing = self._log.append(self._stream, records, fencing_token=token, match_seq_num=start)
            else:
                session = await self._open_session()
                landing = await session.submit(records, fencing_token=token, match_seq_num=start)
        except Exception as error:  # noqa: BLE001 - the writer decides
            self._failed(batch, error)
            return
        ticket = asyncio.ensure_future(landing)
        self._tickets.add(ticket)
        ticket.add_done_callback(partial(self._answered, batch))

    def _answered(self, batch: Batch, ticket: asyncio.Future[Appended]) -> None:
        self._tickets.discard(ticket)
        error = LogUnavailable("the append was called off") if ticket.cancelled() else ticket.exception()
        if error is None:
            self._writer.acknowledged(batch, self._now())
            self._changed()
        else:
            self._failed(batch, error)

    def _failed(self, batch: Batch, error: BaseException) -> None:
        if isinstance(error, FencingTokenMismatch):
            self._writer.refused(batch, error.current)
        elif isinstance(error, SeqNumMismatch):
            self._writer.displaced(batch)
        elif isinstance(error, LogUnavailable):
            if batch.alone or self._writer.state is State.WRITING:
                logger.warning("an append to %s failed, trying again: %s", self._stream, error)
            self._writer.unknown(batch, self._now(), str(error))
        else:
            logger.error("an append to %s failed", self._stream, exc_info=error)
            self._writer.give_up(f"an append failed: {error!r}")
        self._changed()

    async def _read(self, start: int) -> None:
        found: list[Record] = []
        try:
            async with aclosing(self._log.read(self._stream, start)) as batches:
                async for records in batches:
                    found += records
        except LogUnavailable as error:
            logger.warning("%s could not be read, trying again: %s", self._stream, error)
            self._writer.unreachable(self._now(), str(error))
            return
        self._writer.found(found)

    async def _open_session(self) -> AppendSession:
        if self._session is None:
            self._session = await self._closing.enter_async_context(self._log.append_session(self._stream))
        return self._session

    async def _close_session(self) -> None:
        """Leave the session, which waits for what was submitted: behind a failure, each batch is tried by itself."""
        if self._session is not None:
            self._session = None
            try:
                await self._closing.aclose()
            except LogUnavailable as error:
                logger.warning("a session of appends to %s broke: %s", self._stream, error)

    async def _leave(self) -> None:
        try:
            await self._close_session()
            if self._tickets:
                await asyncio.wait(self._tickets, timeout=_LAST_ANSWERS)
        finally:
            for ticket in self._tickets:
                ticket.cancel()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
