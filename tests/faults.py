"""A log that misbehaves on command, around one that does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from resumable_chat.errors import AppendOutcomeUnknown, LogError, LogUnavailable
from resumable_chat.log.port import Appended, AppendSession, Log, Tail
from resumable_chat.protocol.records import NewRecord, Record

LOST_REQUEST = "lost request"
LOST_ANSWER = "lost answer"


class FaultyLog:
    """Passes everything on to ``log``, but the n-th append (from 0) fails as ``faults[n]`` says.

    ``LOST_REQUEST``: it never arrives. ``LOST_ANSWER``: it lands, but the sender is not told. ``delay`` is the time,
    in seconds, that each append takes; ``before`` is called with the number of an append before it is passed on.
    """

    def __init__(
        self,
        log: Log,
        faults: dict[int, str] | None = None,
        *,
        delay: float = 0.0,
        before: Callable[[int], Awaitable[object]] | None = None,
    ) -> None:
        self.log = log
        self.faults = faults or {}
        self.delay = delay
        self.before = before
        self.appends = 0
        self.sessions = 0
        self.unreachable = False

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        number = self.appends
        self.appends += 1
        if self.before is not None:
            await self.before(number)
        if self.delay:
            await asyncio.sleep(self.delay)
        self._reach()
        fault = self.faults.get(number)
        if fault == LOST_REQUEST:
            raise AppendOutcomeUnknown("the request was lost")
        appended = await self.log.append(stream, records, fencing_token=fencing_token, match_seq_num=match_seq_num)
        if fault == LOST_ANSWER:
            raise AppendOutcomeUnknown("the answer was lost")
        return appended

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
        self.sessions += 1
        session = _Session(self, stream)
        try:
            yield session
        finally:
            await session.drain()

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        self._reach()
        async with aclosing(self.log.read(stream, start, end=end)) as batches:
            async for records in batches:
                yield records

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        self._reach()
        async with aclosing(self.log.follow(stream, start)) as batches:
            async for records in batches:
                self._reach()
                yield records

    async def tail(self, stream: str) -> Tail:
        self._reach()
        return await self.log.tail(stream)

    async def close(self) -> None:
        await self.log.close()

    def _reach(self) -> None:
        if self.unreachable:
            raise LogUnavailable("the log cannot be reached")


class _Session:
    """Pipelined appends through a FaultyLog: in order, and all fail after the first failure."""

    def __init__(self, log: FaultyLog, stream: str) -> None:
        self._log = log
        self._stream = stream
        self._last: asyncio.Task[Appended] | None = None
        self._failure: LogError | None = None
        self._tasks: list[asyncio.Task[Appended]] = []

    async def submit(
        self, records: Sequence[NewRecord], *, fencing_token: str | None = None, match_seq_num: int | None = None
    ) -> Awaitable[Appended]:
        before = self._last

        async def run() -> Appended:
            if before is not None:
                await asyncio.wait({before})
            if self._failure is not None:
                raise self._failure
            try:
                return await self._log.append(
                    self._stream, records, fencing_token=fencing_token, match_seq_num=match_seq_num
                )
            except LogError as error:
                self._failure = error
                raise

        self._last = asyncio.create_task(run())
        self._tasks.append(self._last)
        return self._last

    async def drain(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
