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
        self._left: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks) + len(self._left)

    def wait_until(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Run ``work`` in the background. What it raises is logged. Raises RuntimeError outside the event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            if isinstance(work, Coroutine):
                work.close()
            raise RuntimeError("wait_until needs the event loop: call it from an `async def`.") from error
        task = loop.create_task(work if isinstance(work, Coroutine) else _awaited(work))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._left.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("work behind a response failed", exc_info=error)

    async def drain(self, seconds: float, grace: float | None = None) -> None:
        """Wait up to ``seconds`` for what is running, and for what that starts; then cancel the rest.

        What was cancelled has ``grace`` seconds (None: as long again) to clean up, and is not waited for after that.
        """
        await self._settle(seconds)
        if not self._tasks:
            return
        logger.warning("work behind a response took too long and is cancelled (%d tasks)", len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await self._settle(seconds if grace is None else grace)
        if self._tasks:
            logger.error("cancelled work behind a response does not end (%d tasks)", len(self._tasks))
            self._left |= self._tasks
            self._tasks.clear()

    async def _settle(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + max(0.0, seconds)
        while self._tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(set(self._tasks), timeout=left)


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
