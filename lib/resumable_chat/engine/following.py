"""Reads a stream into its view, to its end and then live, through outages of the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from ..errors import LogUnavailable
from ..log.port import Log
from ..protocol.records import Record
from ..protocol.silence import Outage, Silence
from ..view.events import Event
from ..view.view import View

logger = logging.getLogger(__name__)

GIVE_UP_AFTER: Final = 30.0
"""Seconds without an answer from the log after which readers are cut off, or told that it cannot be reached."""

_STEP_RECORDS: Final = 500
_STEP_BYTES: Final = 256 * 1024
"""What is fed to the view before other tasks get their turn."""


class Follower:
    """Feeds a view from the log, and hands its events on in lists, each while the view stands where its last left it.

    ``fed`` is called after each batch of records, also if no events came of it.
    """

    def __init__(
        self,
        log: Log,
        stream: str,
        view: View,
        silence: Silence,
        deliver: Callable[[Sequence[Event]], Awaitable[None]],
        fed: Callable[[], None],
    ) -> None:
        self._log = log
        self._stream = stream
        self._view = view
        self._silence = silence
        self._deliver = deliver
        self._fed = fed
        self.moved = asyncio.Condition()
        """Guards the view: it is fed, or frames are made of it. Notified when it has been fed."""

    async def follow(self, caught_up: asyncio.Future[None]) -> None:
        """Follow for ever; set the future once the log has been read to its end for the first time.

        Raises LogUnavailable if that fails, or if the log fails for GIVE_UP_AFTER later on.
        """
        loop = asyncio.get_running_loop()
        self._silence.lost_touch()
        outage = Outage(GIVE_UP_AFTER)
        while True:
            try:
                # A reading to the end tells that the log works, even when nobody writes.
                async with aclosing(self._log.read(self._stream, self._view.next_seq)) as batches:
                    async for records in batches:
                        await self._take(records)
                if not caught_up.done():
                    caught_up.set_result(None)
                outage.worked()
                self._silence.heard(loop.time())
                async with aclosing(self._log.follow(self._stream, self._view.next_seq)) as batches:
                    async for records in batches:
                        outage.worked()
                        self._silence.heard(loop.time())
                        await self._take(records)
            except LogUnavailable as error:
                # While the log is out of reach, silence says nothing about the writer.
                self._silence.lost_touch()
                pause = outage.failed(loop.time())
                if pause is None or not caught_up.done():
                    raise
                logger.warning("following %s failed, trying again: %s", self._stream, error)
                await asyncio.sleep(pause)

    async def _take(self, records: Sequence[Record]) -> None:
        """Feed the view step by step, and hand its events to the readers."""
        for index, step in enumerate(_steps(records)):
            if index:
                await asyncio.sleep(0)
            async with self.moved:
                feeding = self._view.feed(step)
                try:
                    for events in feeding:
                        if events:
                            await self._deliver(events)
                        else:
                            await asyncio.sleep(0)
                finally:
                    # A task that is cancelled must not leave the view in the middle of something.
                    for _ in feeding:
                        pass
                self.moved.notify_all()
        self._fed()


def _steps(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    start, size = 0, 0
    for index, record in enumerate(records):
        size += len(record.body)
        if index - start + 1 >= _STEP_RECORDS or size >= _STEP_BYTES:
            yield records[start : index + 1]
            start, size = index + 1, 0
    if start < len(records):
        yield records[start:]
