"""What is on its way to one reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol

from ..view.events import Event
from ..view.view import View
from ..wire.sse import Piece

MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024
"""Bytes that may wait for one reader. What it gets first does not count, nor a frame for which nothing had to wait."""


class SubscriberCut(Exception):
    """The reader was too slow, or the log could not be followed any more: it has to come back."""


class Wire(Protocol):
    """Turns a view and its events into the bytes of one wire format.

    Readers that share the object get the same bytes, made once.
    """

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return what a reader with this cursor gets first."""
        ...

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return what readers get for these events, the last of which left the view as it is."""
        ...

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return whether ``live`` encodes all messages of the view for these events; for none of them, ``opening``."""
        ...


class State(Enum):
    """How a subscription stands."""

    OPEN = "open"
    """More may come."""
    ENDED = "ended"
    """Nothing comes after what waits."""
    CUT = "cut"
    """It was broken off, and what waited is gone."""


class Subscription:
    """A queue of encoded frames for one reader. ``start`` names the one generation that it covers, None for all."""

    def __init__(self, wire: Wire, opening: Sequence[Piece], *, start: int | None = None) -> None:
        self.wire = wire
        self.start = start
        self.state = State.OPEN
        self._queue: deque[Piece] = deque(opening)
        self._queued = 0
        self._reason = ""
        self._event = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the reader has got everything, and nothing more comes."""
        return self.state is State.ENDED and not self._queue

    def push(self, pieces: Sequence[Piece]) -> None:
        """Queue these pieces; cut the reader off if it lets too much wait."""
        if self.state is not State.OPEN or not pieces:
            return
        waits = bool(self._queue)
        self._queue.extend(pieces)
        self._queued += sum(map(len, pieces))
        if waits and self._queued > MAX_QUEUED_BYTES:
            self.cut("the reader is too slow")
        self._event.set()

    def end(self) -> None:
        """Let nothing come after what waits."""
        if self.state is State.OPEN:
            self.state = State.ENDED
        self._event.set()

    def cut(self, reason: str) -> None:
        """Break the subscription off, and let go of what waits."""
        self.state = State.CUT
        self._reason = reason
        self._queue.clear()
        self._event.set()

    async def get(self, timeout: float) -> list[Piece]:
        """Return everything that waits; nothing after ``timeout`` seconds of silence, or at the end.

        Raises SubscriberCut.
        """
        if not self._queue and self.state is State.OPEN:
            self._event.clear()
            timer = asyncio.get_running_loop().call_later(timeout, self._event.set)
            try:
                await self._event.wait()
            finally:
                timer.cancel()
        if self.state is State.CUT:
            raise SubscriberCut(self._reason)
        pieces = list(self._queue)
        self._queue.clear()
        self._queued = 0
        return pieces
