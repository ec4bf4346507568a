"""A reader that joins a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .subscription import Subscription
from .tail import Tail


class Reading:
    """Subscribes in the background, and unsubscribes when the reader leaves, however far that got."""

    def __init__(self, tail: Tail, subscribing: Coroutine[Any, Any, Subscription | None]) -> None:
        self.tail = tail
        self._task = asyncio.create_task(subscribing, name="subscribe")

    async def began(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the subscription, or for its failure; return whether one is there."""
        try:
            await asyncio.wait({self._task}, timeout=timeout)
        except asyncio.CancelledError:
            self.leave()
            raise
        return self._task.done()

    async def subscription(self) -> Subscription | None:
        """Return the subscription; None if there is nothing to read.

        Raises LogUnavailable, or Overloaded.
        """
        try:
            return await self._task
        except asyncio.CancelledError:
            self.leave()
            raise

    def leave(self) -> None:
        """Let the reader go. Leaving twice does nothing."""
        if not self._task.done():
            self._task.cancel()
        elif not self._task.cancelled() and self._task.exception() is None:
            subscription = self._task.result()
            if subscription is not None:
                self.tail.unsubscribe(subscription)
