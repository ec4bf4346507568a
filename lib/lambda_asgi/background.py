"""Work that goes on behind a response: scheduled at once, awaited before the process may rest or end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Background:
    """Holds on to tasks until they are done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def wait_until(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Run ``work`` in the background. What it raises is logged."""
        task = asyncio.create_task(work if isinstance(work, Coroutine) else _awaited(work))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("work behind a response failed", exc_info=error)

    async def drain(self, seconds: float, grace: float | None = None) -> None:
        """Wait up to ``seconds`` for what is running, and for what that starts; then cancel the rest.

        What was cancelled has ``grace`` seconds (None: as long again) to clean up.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + max(0.0, seconds)
        while self._tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(set(self._tasks), timeout=left)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds if grace is None else grace)


async def _awaited(work: Awaitable[T]) -> T:
    return await work


background = Background()
"""The process's own: the runtime waits for it on Lambda, and an app's lifespan elsewhere (``drain``)."""


def wait_until(work: Awaitable[T]) -> asyncio.Task[T]:
    """Run ``work`` behind the response, which does not wait for it. What it raises is logged.

    On Lambda the function is not frozen before the work is done, or the invocation's deadline is near: then the work
    is cancelled. Elsewhere it is a task; call ``drain`` when the app shuts down. Call this in the event loop.
    """
    return background.wait_until(work)


async def drain(seconds: float) -> None:
    """Wait up to ``seconds`` for all work behind responses, cancel the rest and wait as long for its clean-up."""
    await background.drain(seconds)
