"""One tail per stream and process: any number of subscribers share one follower and one fold."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from ..errors import LogError, LogUnavailable
from ..log.port import Log
from ..protocol import tokens
from ..protocol.records import Kind, Record, kind
from ..view.frames import Frame
from ..view.session import SessionView
from .ending import reap

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024
"""What may wait for one subscriber before it is cut off; its opening frames do not count."""

_INFINITY: Final = float("inf")
_BACKOFF: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_PROMPT: Final = 1.0
"""Seconds within which the log answers when it is well, and within which this process does what is due."""
_GIVE_UP: Final = 30.0
"""Seconds for which a follower keeps trying to reach the log before it cuts its subscribers off."""


class SubscriberCut(Exception):
    """The subscriber was too slow, or the log could not be followed any more: it has to come back."""


class Subscription:
    """What is on its way to one reader: encoded frames, in order."""

    def __init__(self, opening: list[Frame], *, one_generation: bool = False) -> None:
        self.one_generation = one_generation
        self.ended = False
        """The one generation asked for is over, and nothing more waits."""
        self.nothing = False
        """There is no generation to read."""
        self._over = False
        self._queue: deque[bytes] = deque()
        if opening:
            self._queue.append(b"".join([frame.encode() for frame in opening]))
        self._size = 0
        self._event = asyncio.Event()
        self._error: str | None = None

    def push(self, data: bytes) -> None:
        if self._over:
            return
        self._size += len(data)
        if self._size > MAX_QUEUED_BYTES:
            self.cut("the reader is too slow")
        else:
            self._queue.append(data)
        self._event.set()

    def end(self) -> None:
        """Nothing comes after what waits."""
        self._over = True
        self._event.set()

    def cut(self, why: str) -> None:
        self._error = why
        self._queue.clear()
        self._event.set()

    async def get(self, timeout: float) -> bytes | None:
        """All that waits, joined; None after ``timeout`` seconds of silence. Raises SubscriberCut."""
        if not self._queue and self._error is None and not self._over:
            self._event.clear()
            timer = asyncio.get_running_loop().call_later(timeout, self._event.set)
            try:
                await self._event.wait()
            finally:
                timer.cancel()
        if self._error is not None:
            raise SubscriberCut(self._error)
        if not self._queue:
            self.ended = self._over
            return None
        data = b"".join(self._queue)
        self._queue.clear()
        self._size = 0
        return data


class Tail:
    """Follows one stream while it has subscribers, and keeps what it has read when it has none."""

    def __init__(self, log: Log, stream: str, *, lease: float, writer_lost: str, session: bool = True) -> None:
        self.view = SessionView(snapshots=session)
        self._session = session
        self._log = log
        self._stream = stream
        self._lease = lease
        self._writer_lost = writer_lost
        self._subscribers: set[Subscription] = set()
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._caught_up: asyncio.Future[None] | None = None
        self._heard = _INFINITY
        """Loop time of the last record; infinite while nothing can be said of the writer."""

    @property
    def idle(self) -> bool:
        return not self._subscribers and not self._waiting

    async def attach(self, cursor: int | None, *, ended_too: bool = False) -> Subscription:
        """A subscription that begins at the cursor, once the log is read up to its tail. Raises LogUnavailable.

        Without sessions, it covers one generation: the running one, or the newest if ``ended_too`` or if that is what
        a reader with this cursor has begun to read.
        """
        self._waiting += 1
        try:
            if self._task is None or self._task.done():
                self._caught_up = asyncio.get_running_loop().create_future()
                self._task = asyncio.create_task(self._run(self._caught_up), name=f"follow {self._stream}")
            assert self._caught_up is not None
            await asyncio.shield(self._caught_up)
            ended_too = ended_too or self.view.has_unread(cursor)
            opening = self.view.opening(cursor, ended_too=ended_too)
            subscription = Subscription(opening, one_generation=not self._session)
            if subscription.one_generation and not self.view.running:
                subscription.nothing = not ended_too
                subscription.end()
            self._subscribers.add(subscription)
            return subscription
        finally:
            self._waiting -= 1
            self._rest()

    def detach(self, subscription: Subscription) -> None:
        self._subscribers.discard(subscription)
        self._rest()

    def cut(self, why: str) -> None:
        """Cut every subscription off."""
        for subscription in self._subscribers:
            subscription.cut(why)

    async def close(self) -> None:
        self.cut("the server is shutting down")
        self._leave()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _rest(self) -> None:
        if self.idle:
            self._leave()

    def _leave(self) -> None:
        """Stop following."""
        task, self._task = self._task, None
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()

    async def _run(self, caught_up: asyncio.Future[None]) -> None:
        self._heard = _INFINITY
        following = asyncio.current_task()
        assert following is not None
        reaper = asyncio.create_task(self._reap_when_silent(following), name=f"reap {self._stream}")
        try:
            await self._follow(caught_up)
        except LogError as error:
            _fail(caught_up, error)
            for subscription in self._subscribers:
                subscription.cut(str(error))
        except Exception as error:
            logger.exception("following %s failed", self._stream)
            _fail(caught_up, LogUnavailable(f"The chat cannot be followed: {error!r}"))
            for subscription in self._subscribers:
                subscription.cut("internal error")
        finally:
            reaper.cancel()
            if not caught_up.done():
                caught_up.cancel()

    async def _follow(self, caught_up: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        failing_since: float | None = None
        attempt = 0
        while True:
            try:
                if not caught_up.done():
                    async with aclosing(self._log.read(self._stream, self.view.position)) as batches:
                        async for records in batches:
                            self.view.feed(records, emit=False)
                    caught_up.set_result(None)
                self._heard = loop.time()
                async with aclosing(self._log.follow(self._stream, self.view.position)) as batches:
                    async for records in batches:
                        failing_since, attempt = None, 0
                        self._heard = loop.time()
                        for part in [records] if self._session else split_after_fences(records):
                            self._deliver(self.view.feed(part))
            except LogUnavailable as error:
                now = loop.time()
                failing_since = failing_since or now
                if not caught_up.done() or now - failing_since > _GIVE_UP:
                    raise
                # While the log is out of reach, silence says nothing about the writer.
                self._heard = _INFINITY
                logger.warning("following %s failed, trying again: %s", self._stream, error)
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
                attempt += 1

    def _deliver(self, frames: list[Frame]) -> None:
        data = b"".join([frame.encode() for frame in frames])
        for subscription in self._subscribers:
            if data:
                subscription.push(data)
            if subscription.one_generation and not self.view.running:
                subscription.end()

    async def _reap_when_silent(self, following: asyncio.Task[None]) -> None:
        """Close the running generation when no record has come for the lease, by this process's clock."""
        loop = asyncio.get_running_loop()
        view = self.view
        while not following.done():
            silent = loop.time() - self._heard
            if not view.running or not tokens.is_ours(view.token) or silent < self._lease:
                pause = min(1.0, max(0.05, self._lease - silent))
                due = loop.time() + pause
                await asyncio.sleep(pause)
                if loop.time() > due + _PROMPT:
                    # This process stood still, and perhaps the writer with it.
                    self._heard = max(self._heard, loop.time())
                continue
            try:
                asked, position = loop.time(), view.position
                tail = await self._log.tail(self._stream)
                if not tail.seq_num == position == view.position or loop.time() > asked + _PROMPT:
                    # It is the log that was silent, or the way to it.
                    self._heard = loop.time()
                    continue
                reaped = await reap(
                    self._log,
                    self._stream,
                    token=view.token,
                    parts=view.parts,
                    position=view.position,
                    message=self._writer_lost,
                )
            except LogError as error:
                logger.warning("closing the abandoned generation of %s failed: %s", self._stream, error)
                reaped = False
            if reaped:
                logger.warning("closed an abandoned generation of %s", self._stream)
            self._heard = loop.time()


class Tails:
    """The tails of one process: those with subscribers, and the most recent of the others, kept warm.

    ``keep`` bounds how many there are, ``keep_bytes`` the record bodies they were read from, while some are idle.
    """

    def __init__(
        self,
        log: Log,
        *,
        lease: float,
        writer_lost: str,
        session: bool = True,
        keep: int = 256,
        keep_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._session = session
        self._log = log
        self._lease = lease
        self._writer_lost = writer_lost
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._tails: OrderedDict[str, Tail] = OrderedDict()

    def get(self, stream: str) -> Tail:
        tail = self._tails.get(stream)
        if tail is None:
            tail = self._tails[stream] = Tail(
                self._log, stream, lease=self._lease, writer_lost=self._writer_lost, session=self._session
            )
        self._tails.move_to_end(stream)
        kept, size = len(self._tails), sum(known.view.size for known in self._tails.values())
        for name, known in list(self._tails.items()):
            if kept <= self._keep and size <= self._keep_bytes:
                break
            if known.idle and known is not tail:
                del self._tails[name]
                kept, size = kept - 1, size - known.view.size
        return tail

    def cut(self) -> None:
        """Cut every subscription off: its reader has to come back."""
        for tail in self._tails.values():
            tail.cut("the server is shutting down")

    async def close(self) -> None:
        for tail in list(self._tails.values()):
            await tail.close()
        self._tails.clear()


def split_after_fences(records: Sequence[Record]) -> list[Sequence[Record]]:
    """The records in runs that each end with a fence, so that generations are told apart."""
    parts: list[Sequence[Record]] = []
    start = 0
    for index, record in enumerate(records):
        if kind(record) is Kind.FENCE:
            parts.append(records[start : index + 1])
            start = index + 1
    if start < len(records):
        parts.append(records[start:])
    return parts


def _fail(future: asyncio.Future[None], error: LogError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()
