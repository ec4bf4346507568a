"""A bound on the time that is spent waiting for something, in many short waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """Gives up when nothing worth waiting for has come for ``seconds``, however much else has.

    ``restart`` when something has; the time runs again from the next wait. One timer serves all waits:
    ``asyncio.timeout`` around each costs a third of the time that reading a delta takes. ``close`` it at the end.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._due = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def restart(self, seconds: float) -> None:
        """Let the next wait begin a new time of so many seconds."""
        self._seconds = seconds
        self._since = None

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Return what is awaited. Raises TimeoutError once the time is over."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        cancels = task.cancelling()
        now = loop.time()
        if self._since is None:
            self._since = now
        self._due = self._since + self._seconds
        if self._due <= now:
            _discard(awaitable)
            raise TimeoutError
        self._expired = False
        self._waiting = task
        if self._timer is None or self._timer.when() > self._due:
            self._arm(loop)
        try:
            return await awaitable
        except asyncio.CancelledError:
            # Our own cancellation is taken back; one from outside that came as well stays.
            if self._expired and task.uncancel() <= cancels:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Put the timer off."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self.close()
        self._timer = loop.call_at(self._due, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if loop.time() < self._due:
            self._arm(loop)
            return
        self._expired = True
        self._waiting.cancel()
        self._waiting = None


def _discard(awaitable: object) -> None:
    """Close a coroutine that nobody will await."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
