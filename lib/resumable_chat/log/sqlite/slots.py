"""Back-pressure: how much may wait to be written."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """Room for so many appends and so many bytes, given out in the order in which it was asked for.

    Belongs to one event loop. A batch alone is always let in, whatever its size.
    """

    def __init__(self, appends: int, size: int) -> None:
        self._appends = appends
        self._size = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._taken = 0
        self._taken_size = 0

    def acquire_now(self, size: int) -> bool:
        """Take room for one append of so many bytes if there is any, and nobody waits for it; say whether."""
        if self._waiting or not self._fits(size):
            return False
        self._take(size)
        return True

    async def acquire(self, size: int) -> None:
        """Take room for one append of so many bytes, once there is any."""
        if self.acquire_now(size):
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.release(size)
            else:
                self._waiting.remove((size, granted))
                self._grant()
            raise

    def release(self, size: int) -> None:
        """Give back the room of one append of so many bytes."""
        self._taken -= 1
        self._taken_size -= size
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, granted = self._waiting.popleft()
            if not granted.done():
                self._take(size)
                granted.set_result(None)

    def _take(self, size: int) -> None:
        self._taken += 1
        self._taken_size += size

    def _fits(self, size: int) -> bool:
        return not self._taken or (self._taken < self._appends and self._taken_size + size <= self._size)
