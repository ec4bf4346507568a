"""Ends the readers of a server that is told to stop.

Servers such as uvicorn wait for open responses before they tell the app of the shutdown, and a replay has no end of its
own. So the signal itself has to reach the readers.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any, Final

from ..engine.subscription import SubscriberCut
from .chat import ResumableChat
from .responses import BodyBroken

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SERVER_LOGGERS: Final = ("uvicorn.error", "hypercorn.error")


@asynccontextmanager
async def ending_readers(chat: ResumableChat) -> AsyncIterator[None]:
    """Within this, SIGINT and SIGTERM end the chat's readers before the server's own handler runs.

    Does nothing outside the main thread, or where the server handles signals without ``signal.signal``.
    """
    loop = asyncio.get_running_loop()
    replaced: dict[signal.Signals, tuple[Any, Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            previous = signal.getsignal(number)
            if callable(previous) and previous is not signal.default_int_handler:
                ours = _chained(loop, chat.end_readers, previous)
                signal.signal(number, ours)
                replaced[number] = (previous, ours)
    silenced = _BrokenOnPurpose()
    for name in _SERVER_LOGGERS:
        logging.getLogger(name).addFilter(silenced)
    try:
        yield
    finally:
        for name in _SERVER_LOGGERS:
            logging.getLogger(name).removeFilter(silenced)
        for number, (previous, ours) in replaced.items():
            if signal.getsignal(number) is ours:
                signal.signal(number, previous)


def _chained(
    loop: asyncio.AbstractEventLoop, end: Callable[[], None], previous: Callable[[int, FrameType | None], Any]
) -> Callable[[int, FrameType | None], Any]:
    def handle(number: int, frame: FrameType | None) -> Any:
        loop.call_soon_threadsafe(end)
        return previous(number, frame)

    return handle


class _BrokenOnPurpose(logging.Filter):
    """Drops the server's traceback of a body that was broken off so that its client reconnects."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            if isinstance(error, BodyBroken | SubscriberCut):
                return False
            error = error.__cause__ or error.__context__
        return True
