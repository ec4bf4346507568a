"""One tail per stream and process: any number of readers share one follower, one view, and the bytes made of it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from ..errors import LogError, LogUnavailable
from ..log.port import Log
from ..protocol.silence import Silence
from ..view.events import Event, Skipped, TurnEnded
from ..view.view import View
from .capacity import Capacity
from .following import GIVE_UP_AFTER, Follower
from .reaping import Reaper
from .subscription import Subscription, Wire
from .wanted import Wanted, read_generation

logger = logging.getLogger(__name__)

SHUTTING_DOWN: Final = "the server is shutting down"

NEWEST: Final = Wanted()

_TAIL: Final = sys.maxsize
"""As a cursor: everything that the log holds now, also what another process has just written."""

_CLOSE_SECONDS: Final = 5.0
"""Seconds that followers have to leave the log when the server ends."""

_REPORTS: Final = 20
"""Skipped records that are logged one by one, for each tail."""


@dataclass(frozen=True, slots=True)
class TailOptions:
    """How streams are followed: the lease of a writer in seconds, and the public text of a writer that is lost.

    Without ``session`` only the newest generation of a stream counts.
    """

    lease: float
    writer_lost_message: str
    session: bool = True


class Tail:
    """Follows one stream while it has readers, and keeps what it has read when it has none."""

    def __init__(self, log: Log, stream: str, options: TailOptions, capacity: Capacity) -> None:
        self.view = View(fold=options.session)
        self._log = log
        self._stream = stream
        self._capacity = capacity
        silence = Silence(options.lease)
        self._reaper = Reaper(log, stream, self.view, silence, options.writer_lost_message)
        self._follower = Follower(log, stream, self.view, silence, self._deliver, self._reaper.turned)
        self._subscriptions: set[Subscription] = set()
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._caught_up: asyncio.Future[None] | None = None
        self._reported = 0

    @property
    def idle(self) -> bool:
        """Whether nobody reads, or is about to."""
        return not self._subscriptions and not self._waiting

    # --- Readers --------------------------------------------------------------------------------------------

    async def subscribe(self, wire: Wire, cursor: int | None = None) -> Subscription:
        """Return a subscription to the whole chat from the cursor on, once the log is read up to its tail.

        Raises LogUnavailable, or Overloaded.
        """
        async with self._entered() as admitted:
            await self._reach(cursor)
            async with self._follower.moved:
                await self._encode_messages()
                subscription = Subscription(wire, wire.opening(self.view, cursor))
                admitted.append(subscription)
                return self._add(subscription)

    async def subscribe_answer(
        self, wire: Wire, cursor: int | None = None, wanted: Wanted = NEWEST
    ) -> Subscription | None:
        """Return a subscription to one generation, from the cursor or its start on; None if there is no such one.

        Raises LogUnavailable, or Overloaded.
        """
        async with self._entered() as admitted:
            await self._reach(wanted.start + 1 if wanted.start is not None else _TAIL)
            async with self._follower.moved:
                newest = self.view.generation
                if newest is not None and wanted.is_met_by(newest, cursor, time.time()):
                    subscription = Subscription(wire, wire.opening(self.view, cursor), start=newest.start)
                    if not newest.running:
                        subscription.end()
                    admitted.append(subscription)
                    return self._add(subscription)
                start = wanted.is_met_before(self.view)
            earlier = await read_generation(self._log, self._stream, start) if start is not None else None
            if earlier is None:
                return None
            subscription = Subscription(wire, wire.opening(earlier, cursor), start=start)
            subscription.end()
            admitted.append(subscription)
            return self._add(subscription)

    async def subscribe_until_idle(self, wire: Wire, *, follow: bool = True) -> Subscription:
        """Return a subscription to the whole chat, as it is now, and ``follow`` the running generation to its end.

        Raises LogUnavailable, or Overloaded.
        """
        async with self._entered() as admitted:
            await self._reach(_TAIL)
            async with self._follower.moved:
                if wire.needs_messages(()):
                    await self._encode_messages()
                newest = self.view.generation
                start = newest.start if follow and newest is not None and newest.running else None
                subscription = Subscription(wire, wire.opening(self.view, None), start=start)
                if start is None:
                    subscription.end()
                admitted.append(subscription)
                return self._add(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Let a reader go."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._capacity.leave()
        self._rest()

    def cut(self, reason: str) -> None:
        """Cut all readers off: they have to come back."""
        for subscription in self._subscriptions:
            subscription.cut(reason)

    async def close(self) -> None:
        """Cut all readers off, and stop following."""
        self.cut(SHUTTING_DOWN)
        self._stop()
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_SECONDS)

    def _add(self, subscription: Subscription) -> Subscription:
        self._subscriptions.add(subscription)
        if self._capacity.closed:
            # The server began to shut down while this reader waited for the log.
            subscription.cut(SHUTTING_DOWN)
        return subscription

    @asynccontextmanager
    async def _entered(self) -> AsyncIterator[list[Subscription]]:
        """Count as a reader and have the stream followed. Yield the list for the subscription that comes of it."""
        self._capacity.enter()
        self._waiting += 1
        admitted: list[Subscription] = []
        try:
            if self._task is None or self._task.done():
                self._caught_up = asyncio.get_running_loop().create_future()
                self._task = asyncio.create_task(self._run(self._caught_up), name=f"follow {self._stream}")
            yield admitted
        finally:
            self._waiting -= 1
            if not admitted:
                self._capacity.leave()
            self._rest()

    async def _reach(self, cursor: int | None) -> None:
        """Wait until the log is read up to its tail, and up to the cursor if the log goes that far.

        A cursor ahead of the view comes from a process that saw more of the log. Raises LogUnavailable.
        """
        assert self._caught_up is not None
        if not self._caught_up.done() and cursor == _TAIL:
            cursor = None
        reached = self.view.next_seq
        while not self._caught_up.done():
            await asyncio.wait({self._caught_up}, timeout=GIVE_UP_AFTER)
            if not self._caught_up.done() and self.view.next_seq == reached:
                raise LogUnavailable("The log does not answer. Try again in a moment.")
            reached = self.view.next_seq
        if self._caught_up.cancelled():
            raise LogUnavailable("The server is shutting down. Try again in a moment.")
        self._caught_up.result()
        if cursor is None or cursor <= self.view.next_seq:
            return
        try:
            async with asyncio.timeout(GIVE_UP_AFTER):
                end = (await self._log.tail(self._stream)).seq_num
                async with self._follower.moved:
                    await self._follower.moved.wait_for(lambda: self.view.next_seq >= min(cursor, end))
        except TimeoutError:
            raise LogUnavailable("The log was read less far than this reader has read it. Try again.") from None

    async def _encode_messages(self) -> None:
        """Encode the messages for all readers that need them, letting other tasks run in between."""
        json = self.view.json
        if json.made is None:
            self._capacity.check(self.view.size)
            for _ in json.steps():
                await asyncio.sleep(0)
            if json.made is not None:
                self._capacity.add(json.made)

    def _rest(self) -> None:
        if self.idle:
            self.view.json.changed()
            self._stop()

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            task.cancel()

    # --- The log --------------------------------------------------------------------------------------------

    async def _run(self, caught_up: asyncio.Future[None]) -> None:
        reaping = asyncio.create_task(self._reaper.run(), name=f"reap {self._stream}")
        try:
            await self._follower.follow(caught_up)
        except Exception as error:
            if not isinstance(error, LogError):
                logger.exception("following %s failed", self._stream)
            if not caught_up.done():
                caught_up.set_exception(error)
                caught_up.exception()  # It may be that nobody waits for it any more.
            self.cut(str(error) if isinstance(error, LogError) else "an internal error")
        finally:
            reaping.cancel()
            if not caught_up.done():
                caught_up.cancel()

    async def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Skipped):
                self._report(event)
        newest = self.view.generation
        ended = isinstance(events[-1], TurnEnded)
        made = {}
        for subscription in list(self._subscriptions):
            if subscription.start is not None and (newest is None or newest.start != subscription.start):
                continue
            wire = subscription.wire
            try:
                if id(wire) not in made:
                    if wire.needs_messages(events):
                        for _ in self.view.json.steps():
                            await asyncio.sleep(0)
                    made[id(wire)] = wire.live(self.view, events)
            except Exception:
                # The other wire formats' readers go on.
                logger.exception("making frames of %s failed", self._stream)
                subscription.cut("an internal error")
                continue
            subscription.push(made[id(wire)])
            if ended and subscription.start is not None:
                subscription.end()

    def _report(self, skipped: Skipped) -> None:
        self._reported += 1
        if self._reported <= _REPORTS:
            last = "; further ones are only counted" if self._reported == _REPORTS else ""
            logger.warning("record %d of %s is skipped: %s%s", skipped.seq_num, self._stream, skipped.reason, last)
