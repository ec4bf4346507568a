"""Notices when a source blocks the event loop, which stops every reader of the process."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Final, Self

logger = logging.getLogger(__name__)

BLOCKED_AFTER: Final = 1.0
"""Seconds without a turn of the event loop that are worth a warning."""
_TICK: Final = 0.1
"""Seconds between two looks at the clock."""


class LoopWatch:
    """Warns once if the event loop stands still for over a second while this is entered."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._schedule(asyncio.get_running_loop())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            # A source that blocks and then ends at once leaves no turn of the loop for a tick.
            self._check(asyncio.get_running_loop())

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _TICK
        self._timer = loop.call_at(self._due, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if not self._check(loop):
            self._schedule(loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> bool:
        late = loop.time() - self._due
        if late < BLOCKED_AFTER:
            return False
        logger.warning(
            "the event loop was blocked for %.1f s while the source %s ran, and all readers with it. "
            "Use asynchronous I/O in the source, or make it a plain generator (`def` with `yield`): that runs in a "
            "thread.",
            late,
            self._name,
        )
        return True
