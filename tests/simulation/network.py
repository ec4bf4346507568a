"""A simulated log: one server that keeps the log's rules, and the unreliable ways of processes to it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from resumable_chat.errors import (
    AppendOutcomeUnknown,
    FencingTokenMismatch,
    LogError,
    LogUnavailable,
    SeqNumMismatch,
)
from resumable_chat.log.port import Appended, AppendSession, Tail
from resumable_chat.protocol.limits import check_limits
from resumable_chat.protocol.records import NewRecord, Record, fence_token, trim_point

from .loop import Process, VirtualLoop

T = TypeVar("T")

EPOCH_MS = 1_700_000_000_000
TIMEOUT = 1.5
"""Seconds after which a request without an answer is given up."""


@dataclass
class Stream:
    records: list[Record] = field(default_factory=list)
    token: str = ""
    first: int = 0
    changed: list[asyncio.Future[None]] = field(default_factory=list)


class Server:
    """The log itself. ``flaw`` breaks one of its rules: "fence" or "number" conditions are then not checked."""

    def __init__(self, loop: VirtualLoop, flaw: str = "") -> None:
        self._loop = loop
        self._flaw = flaw
        self.streams: dict[str, Stream] = {}
        self.appended: Callable[[str, list[Record]], None] = lambda stream, records: None

    def stream(self, name: str) -> Stream:
        return self.streams.setdefault(name, Stream())

    def append(self, name: str, new: Sequence[NewRecord], token: str | None, number: int | None) -> Appended:
        stream = self.stream(name)
        if token is not None and token != stream.token and self._flaw != "fence":
            raise FencingTokenMismatch(stream.token)
        start = len(stream.records)
        if number is not None and number != start and self._flaw != "number":
            raise SeqNumMismatch(start)
        last = stream.records[-1].timestamp if stream.records else 0
        now = max(last, EPOCH_MS + int(self._loop.time() * 1000))
        landed = [Record(start + index, now, record.body, record.headers) for index, record in enumerate(new)]
        stream.records += landed
        for record in landed:
            if (fence := fence_token(record)) is not None:
                stream.token = fence
            if (point := trim_point(record)) is not None:
                stream.first = max(stream.first, min(point, record.seq_num))
        waiting, stream.changed = stream.changed, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self.appended(name, landed)
        return Appended(start, len(stream.records), now)

    def page(self, name: str, start: int, end: int | None, count: int) -> list[Record]:
        stream = self.stream(name)
        start = max(start, stream.first)
        return stream.records[start : min(start + count, len(stream.records) if end is None else end)]

    def tail(self, name: str) -> Tail:
        records = self.stream(name).records
        return Tail(len(records), records[-1].timestamp if records else 0)


@dataclass
class Weather:
    """How bad the way to the log is: mean delay in seconds, and the chance of each mishap per request."""

    delay: float
    spike: float
    lost_request: float
    late_request: float
    lost_answer: float
    repeated: float


class NetworkLog:
    """The log port of one process."""

    def __init__(self, server: Server, process: Process, weather: Weather, random: Random) -> None:
        self._server = server
        self._process = process
        self._loop = process.loop
        self._weather = weather
        self._random = random
        self._outside = contextvars.Context()
        self.cut = False
        """Nothing gets through, in either direction."""
        self._closed = False

    # --- The port -------------------------------------------------------------------------------------------

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        check_limits(records)
        return await self._request(lambda: self._server.append(stream, records, fencing_token, match_seq_num))

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
        session = _Session(self, stream)
        try:
            yield session
        finally:
            await session.drain()

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        tail = (await self.tail(stream)).seq_num
        end = tail if end is None else min(end, tail)
        while start < end:
            count, at = self._random.randint(1, 40), start
            page = await self._ask(lambda count=count, at=at: self._server.page(stream, at, end, count))  # type: ignore[misc]
            if not page:
                return
            yield page
            start = page[-1].seq_num + 1

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        while True:
            count, at = self._random.randint(1, 40), start
            page = await self._ask(lambda count=count, at=at: self._server.page(stream, at, None, count))  # type: ignore[misc]
            if page:
                yield page
                start = page[-1].seq_num + 1
            else:
                await self._change(stream, start)

    async def tail(self, stream: str) -> Tail:
        return await self._ask(lambda: self._server.tail(stream))

    async def close(self) -> None:
        self._closed = True

    # --- The way there and back -----------------------------------------------------------------------------

    def delay(self) -> float:
        random, weather = self._random, self._weather
        if random.random() < weather.spike:
            return random.uniform(0.1, 2.0)
        return random.expovariate(1 / weather.delay)

    def _reach(self) -> None:
        if self._closed or self._process.dead:
            raise LogUnavailable("The log was closed.")

    async def _request(self, act: Callable[[], T], *, fate: float | None = None) -> T:
        """Carry an append there and its answer back; both may be lost, late or repeated."""
        self._reach()
        answer: asyncio.Future[T] = self._loop.create_future()
        weather = self._weather
        dice = self._random.random() if fate is None else fate
        if dice < weather.lost_request:
            pass
        elif (dice := dice - weather.lost_request) < weather.late_request:
            self._later(self._random.uniform(TIMEOUT, 4 * TIMEOUT), lambda: self._land(act, None))
        elif (dice := dice - weather.late_request) < weather.lost_answer:
            self._later(self.delay(), lambda: self._land(act, None))
        else:
            self._later(self.delay(), lambda: self._land(act, answer))
            if dice - weather.lost_answer < weather.repeated:
                self._later(self._random.uniform(0, TIMEOUT), lambda: self._land(act, None))
        return await self._answered(answer)

    async def _answered(self, answer: asyncio.Future[T]) -> T:
        await asyncio.wait({answer}, timeout=TIMEOUT)
        if not answer.done():
            answer.cancel()
            raise AppendOutcomeUnknown("no answer")
        return answer.result()

    def _land(self, act: Callable[[], T], answer: asyncio.Future[T] | None, *, told: bool = False) -> None:
        if self.cut and not told:
            return
        try:
            result = act()
        except LogError as error:
            self._reply(answer, error=error)
        else:
            self._reply(answer, result)

    def _reply(self, answer: asyncio.Future[T] | None, result: T | None = None, error: LogError | None = None) -> None:
        def arrive() -> None:
            if answer is None or answer.done() or self.cut:
                return
            if error is not None:
                answer.set_exception(error)
                answer.exception()  # Whoever asked may be dead.
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        self._later(self.delay(), arrive)

    async def _ask(self, look: Callable[[], T]) -> T:
        """Carry a question there and its answer back."""
        try:
            return await self._request(look)
        except AppendOutcomeUnknown as error:
            raise LogUnavailable("no answer") from error

    async def _change(self, stream: str, start: int) -> None:
        """Wait until the stream goes on; a connection that was cut is noticed after a while."""
        known = self._server.stream(stream)
        if len(known.records) > start:
            return
        future = self._loop.create_future()
        known.changed.append(future)
        while not future.done():
            self._reach()
            if self.cut:
                await asyncio.sleep(self._random.uniform(0, TIMEOUT))
                raise LogUnavailable("the connection was cut")
            await asyncio.wait({future}, timeout=TIMEOUT)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        # What is on its way does not stand still with the process that sent it.
        self._loop.call_later(seconds, act, context=self._outside)


class _Session:
    """Batches in order over one connection: when one is lost or refused, so are all behind it."""

    def __init__(self, log: NetworkLog, stream: str) -> None:
        self._log = log
        self._stream = stream
        self._failure: LogError | None = None
        self._lands_at = 0.0
        self._answers: list[asyncio.Future[Appended]] = []

    async def submit(
        self, records: Sequence[NewRecord], *, fencing_token: str | None = None, match_seq_num: int | None = None
    ) -> Awaitable[Appended]:
        log = self._log
        check_limits(records)
        log._reach()
        answer: asyncio.Future[Appended] = log._loop.create_future()
        lost = log._random.random() < log._weather.lost_request
        now = log._loop.time()
        # Timers of the same moment have no order among themselves.
        self._lands_at = max(self._lands_at + 1e-6, now + log.delay())

        def act() -> Appended:
            if self._failure is not None:
                raise self._failure
            if lost or log.cut:
                self._failure = AppendOutcomeUnknown("the connection was lost")
                raise self._failure
            try:
                return log._server.append(self._stream, records, fencing_token, match_seq_num)
            except LogError as error:
                self._failure = error
                raise

        log._later(self._lands_at - now, lambda: log._land(act, answer, told=True))
        self._answers.append(answer)
        return log._answered(answer)

    async def drain(self) -> None:
        open_ = {answer for answer in self._answers if not answer.done()}
        if open_:
            await asyncio.wait(open_, timeout=TIMEOUT)
