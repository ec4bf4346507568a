"""Runs that outlive the request that started them, on servers that keep running between requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from ..chat import Accepted, Chat

logger = logging.getLogger(__name__)

WaitUntil = Callable[[Coroutine[Any, Any, Any]], object]
"""Takes work that goes on behind a response."""


async def hand_over(chat: Chat, accepted: Accepted, wait_until: WaitUntil | None) -> None:
    """Hand the run over; without ``wait_until``, wait for it. A run that nobody takes is ended at once."""
    work = chat.run(accepted)
    if wait_until is None:
        await work
        return
    try:
        wait_until(work)
    except BaseException:
        work.close()
        await chat.abandon(accepted)
        raise


class Background:
    """Holds on to tasks until they are done, and logs what they raise."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def wait_until(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start ``work`` as a task. Call this in the event loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a run behind a response failed", exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Wait up to ``seconds`` for the tasks, then cancel the rest and wait as long again for their clean-up."""
        for cancel in (False, True):
            if cancel:
                for task in self._tasks:
                    task.cancel()
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=seconds)
