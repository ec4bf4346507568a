"""Appends a generation's chunks in pipelined, conditional batches, each of which lands exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from ..errors import (
    AppendConditionFailed,
    FencingTokenMismatch,
    LogError,
    LogUnavailable,
    SeqNumMismatch,
)
from ..log.port import Appended, AppendSession, Log
from ..protocol.chunks import Chunk, encode, encode_split
from ..protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_TOKEN_BYTES
from ..protocol.merge import can_merge, merge_run
from ..protocol.records import HEARTBEAT, NewRecord, fence, metered_bytes

logger = logging.getLogger(__name__)

MAX_PENDING_CHUNKS: Final = 1000
MAX_PENDING_BYTES: Final = 1024 * 1024
"""Beyond either, ``add`` waits: a slow log slows the source."""

MAX_IN_FLIGHT: Final = 16
"""Batches on their way at once."""

PIPELINE_FROM: Final = 0.015
"""Seconds. A generation begins with single appends, one at a time. Once an acknowledgement takes longer than this while
more is due, it goes over to an append session: opening one costs more than a fast log's whole round trip."""

_BACKOFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)

_FENCE_BYTES: Final = metered_bytes([fence("t" * MAX_TOKEN_BYTES)])


class Lost(Exception):
    """The generation is no longer ours: it was stopped or taken over, or the log stayed out of reach."""


@dataclass(slots=True)
class _Batch:
    start: int
    records: list[NewRecord]

    @property
    def end(self) -> int:
        return self.start + len(self.records)


@dataclass(slots=True)
class _Pending:
    chunk: Chunk | None
    """None for a piece of a split chunk, which must not be merged again."""
    body: bytes


class Appender:
    """The one writer of a generation.

    Flushes at once when nothing is in flight, otherwise when ``batch_size`` chunks wait or the oldest has waited
    for ``linger`` seconds. After ``heartbeat`` seconds without an append it appends a heartbeat, which keeps the
    lease and finds out about a stop. When the log is out of reach it keeps trying for ``give_up`` seconds.
    ``on_lost`` is called once, as soon as the generation is known to be lost.
    """

    def __init__(
        self,
        log: Log,
        stream: str,
        *,
        token: str,
        next_seq: int,
        on_lost: Callable[[], None] = lambda: None,
        batch_size: int = 10,
        linger: float = 0.05,
        heartbeat: float = 1.0,
        give_up: float = 60.0,
    ) -> None:
        self._log = log
        self._stream = stream
        self._token = token
        self._next_seq = next_seq
        self._on_lost = on_lost
        self._batch_size = batch_size
        self._linger = linger
        self._heartbeat = heartbeat
        self._give_up = give_up
        self._pending: deque[_Pending] = deque()
        self._pending_bytes = 0
        self._oldest = 0.0
        self._deferred = False
        self._unacknowledged: deque[_Batch] = deque()
        self._pipelined = False
        self._failure: LogError | None = None
        self._final_token: str | None = None
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._lost: LogError | None = None
        self._pump: asyncio.Task[None] | None = None
        self.appends = 0
        """Batches sent so far, heartbeats included."""

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._run(), name=f"append {self._stream}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._pump is not None
        if self._final_token is None or error is not None:
            while not self._pump.done():
                # One cancellation may be swallowed by a library that waits for an answer which comes just then.
                self._pump.cancel()
                await asyncio.wait({self._pump}, timeout=1)
        await asyncio.gather(self._pump, return_exceptions=True)

    @property
    def lost(self) -> bool:
        return self._lost is not None

    def abandon(self) -> None:
        """Write nothing more: this process knows already that the generation was ended by someone else."""
        self._lose(FencingTokenMismatch(""))

    async def add(self, chunk: Chunk, *, defer: bool = False) -> None:
        """Hand over a chunk; waits while too much is pending.

        With ``defer`` the chunk may wait for ``linger`` even when nothing is in flight, so that what comes right
        after it shares its batch. Raises Lost, and what ``chunks.encode_split`` raises.
        """
        bodies = list(encode_split(chunk))
        while not self.lost and (len(self._pending) >= MAX_PENDING_CHUNKS or self._pending_bytes >= MAX_PENDING_BYTES):
            self._room.clear()
            await self._room.wait()
        self._check()
        self._push(chunk, bodies)
        self._deferred = defer
        self._wake.set()

    async def finish(self, chunks: Iterable[Chunk], token: str) -> None:
        """Append the last chunks and the fence with this terminal token; returns when they are durable.

        Raises Lost.
        """
        for chunk in chunks:
            self._push(chunk, list(encode_split(chunk)))
        self._final_token = token
        self._wake.set()
        assert self._pump is not None
        await asyncio.shield(self._pump)
        self._check()

    def _push(self, chunk: Chunk, bodies: list[bytes]) -> None:
        if not self._pending:
            self._oldest = asyncio.get_running_loop().time()
        whole = chunk if len(bodies) == 1 else None
        for body in bodies:
            self._pending.append(_Pending(whole, body))
            self._pending_bytes += len(body)

    def _check(self) -> None:
        if self._lost is not None:
            raise Lost(str(self._lost)) from self._lost

    def _lose(self, error: LogError) -> None:
        if self._lost is None:
            self._lost = error
            self._pending.clear()
            self._pending_bytes = 0
            self._room.set()
            self._wake.set()
            self._on_lost()

    async def _run(self) -> None:
        try:
            while not self.lost and not await self._session():
                await self._recover()
        except LogError as error:
            self._lose(error)
        except Exception as error:
            self._lose(LogError(f"the appender failed: {error!r}"))
            raise

    async def _session(self) -> bool:
        """Append until something fails. True: all is durable and the generation ended. False: an append failed."""
        self._failure = None
        session: AppendSession | None = None
        single: asyncio.Future[Appended] | None = None
        async with AsyncExitStack() as stack:
            try:
                acknowledge = asyncio.Queue[tuple[_Batch, asyncio.Future[Appended]]]()
                reader = asyncio.create_task(self._acknowledge(acknowledge))
                stack.callback(reader.cancel)
                last = asyncio.get_running_loop().time()
                while True:
                    records = await self._next_batch(last)
                    if self._failure is not None or self.lost:
                        return False
                    if records is None:
                        return True
                    batch = _Batch(self._next_seq, records)
                    self._next_seq = batch.end
                    self._unacknowledged.append(batch)
                    if self._pipelined and session is None:
                        session = await stack.enter_async_context(self._log.append_session(self._stream))
                    ticket = await self._submit(session, batch)
                    single = ticket if session is None else None
                    acknowledge.put_nowait((batch, ticket))
                    last = asyncio.get_running_loop().time()
            except LogError as error:
                self._failure = self._failure or error
                return False
            finally:
                if single is not None:
                    await _settled(single)

    async def _submit(self, session: AppendSession | None, batch: _Batch) -> asyncio.Future[Appended]:
        self.appends += 1
        records, token, start = batch.records, self._token, batch.start
        if session is None:
            landing: Awaitable[Appended] = self._log.append(
                self._stream, records, fencing_token=token, match_seq_num=start
            )
        else:
            landing = await session.submit(records, fencing_token=token, match_seq_num=start)
        ticket = asyncio.ensure_future(landing)
        # Behind a first failure nobody asks what became of the others.
        ticket.add_done_callback(lambda done: done.cancelled() or done.exception())
        return ticket

    async def _acknowledge(self, queue: asyncio.Queue[tuple[_Batch, asyncio.Future[Appended]]]) -> None:
        while True:
            batch, ticket = await queue.get()
            began = asyncio.get_running_loop().time()
            try:
                await ticket
            except LogError as error:
                if self._failure is None:
                    self._failure = error
            except Exception as error:  # noqa: BLE001 - whatever it is, the writer must not wait for it for ever
                if self._failure is None:
                    self._failure = LogError(f"an append failed: {error!r}")
            else:
                if self._pending and asyncio.get_running_loop().time() - began > PIPELINE_FROM:
                    self._pipelined = True
                if self._failure is None and self._unacknowledged and self._unacknowledged[0] is batch:
                    self._unacknowledged.popleft()
            self._wake.set()

    async def _next_batch(self, last: float) -> list[NewRecord] | None:
        """Wait until a batch is due. None: everything, the terminal fence too, is acknowledged."""
        loop = asyncio.get_running_loop()
        while self._failure is None and not self.lost:
            in_flight = len(self._unacknowledged)
            now = loop.time()
            due: float | None = None
            if in_flight < (MAX_IN_FLIGHT if self._pipelined else 1):
                if self._final_token is not None:
                    if self._pending or not self._ended:
                        return self._take()
                elif self._pending:
                    due = self._oldest + self._linger
                    if (not in_flight and not self._deferred) or len(self._pending) >= self._batch_size or now >= due:
                        return self._take()
                else:
                    due = last + self._heartbeat
                    if now >= due:
                        return [HEARTBEAT]
            if self._final_token is not None and self._ended and not in_flight:
                return None
            self._wake.clear()
            timer = None if due is None else loop.call_at(due, self._wake.set)
            await self._wake.wait()
            if timer is not None:
                timer.cancel()
        return None

    _ended = False
    """The terminal fence has been taken into a batch."""

    def _take(self) -> list[NewRecord]:
        """The next batch off the pending chunks: neighbours merged, within the limits of one append."""
        records: list[NewRecord] = []
        # Room is kept for the terminal fence, which must share the batch of the terminal chunk.
        room = MAX_BATCH_BYTES - _FENCE_BYTES
        size = 0
        while self._pending and len(records) < MAX_BATCH_RECORDS - 1:
            run = self._next_run(room - size)
            if not run:
                break
            body = run[0].body if len(run) == 1 else encode(merge_run([item.chunk for item in run if item.chunk]))
            if len(body) > sum(len(item.body) for item in run):
                # A lone surrogate has all the text around it escaped, which may not fit any more.
                run = run[:1]
                body = run[0].body
            records.append(NewRecord(body))
            size += metered_bytes(records[-1:])
            for _ in run:
                self._pending_bytes -= len(self._pending.popleft().body)
        if self._final_token is not None and not self._pending:
            records.append(fence(self._final_token))
            self._ended = True
        self._oldest = asyncio.get_running_loop().time()
        self._deferred = False
        self._room.set()
        return records

    def _next_run(self, room: int) -> list[_Pending]:
        run: list[_Pending] = []
        size = 8
        for item in self._pending:
            if run:
                before = run[-1].chunk
                if before is None or item.chunk is None or not can_merge(before, item.chunk):
                    break
            if size + len(item.body) > room:
                break
            size += len(item.body)
            run.append(item)
        return run

    async def _recover(self) -> None:
        """Land what a failed session left unacknowledged, each batch once, before the next session opens."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._give_up
        error: LogError | None = self._failure
        attempt = 0
        while error is not None or self._unacknowledged:
            if self.lost:
                return
            if isinstance(error, FencingTokenMismatch):
                self._refused(error)
                return
            if isinstance(error, LogUnavailable):
                if loop.time() > give_up_at:
                    raise error
                logger.warning("append to %s failed, trying again: %s", self._stream, error)
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
                attempt += 1
            elif error is not None and not isinstance(error, SeqNumMismatch):
                raise error
            try:
                if isinstance(error, SeqNumMismatch):
                    await self._settle()
                error = None
                while self._unacknowledged:
                    batch = self._unacknowledged[0]
                    self.appends += 1
                    await self._log.append(
                        self._stream, batch.records, fencing_token=self._token, match_seq_num=batch.start
                    )
                    self._unacknowledged.popleft()
                return
            except AppendConditionFailed as refused:
                error = refused
            except LogUnavailable as unavailable:
                error = unavailable

    def _refused(self, error: FencingTokenMismatch) -> None:
        """Another token is in force: our own terminal one, which landed unnoticed, or someone else's."""
        if self._ended and error.current == self._final_token:
            self._unacknowledged.clear()
        else:
            self._lose(error)

    async def _settle(self) -> None:
        """Find out which unacknowledged batches are in the log after all, and renumber the rest."""
        if not self._unacknowledged:
            self._next_seq = (await self._log.tail(self._stream)).seq_num
            return
        start = self._unacknowledged[0].start
        stored: dict[int, NewRecord] = {}
        position = start
        async with aclosing(self._log.read(self._stream, start)) as batches:
            async for records in batches:
                for record in records:
                    stored[record.seq_num] = NewRecord(record.body, record.headers)
                    position = record.seq_num + 1
        while self._unacknowledged:
            batch = self._unacknowledged[0]
            if [stored.get(seq) for seq in range(batch.start, batch.end)] != batch.records:
                break
            self._unacknowledged.popleft()
        # What stands in our way was appended by someone without a token; ours follows it.
        for batch in self._unacknowledged:
            batch.start = position
            position = batch.end
        self._next_seq = position


async def _settled(ticket: asyncio.Future[Appended]) -> None:
    """Wait for a single append; what became of it was told to whoever waited for its acknowledgement."""
    await asyncio.wait({ticket})
    if not ticket.cancelled():
        ticket.exception()
