"""Threads of the log, which may fail to start and may be given up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Final

from ...errors import LogUnavailable

_LOOK_SECONDS: Final = 0.005


def start_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread that does not keep the process alive. Raises LogUnavailable if the system has none to give."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise LogUnavailable(
            f"The log could not start a thread ({error}). Try again; raise the limit on processes if it stays so."
        ) from error
    return thread


async def ended(threads: Iterable[threading.Thread], seconds: float) -> bool:
    """Wait until the threads have ended; return False if one still runs after so many seconds."""
    waiting, loop = list(threads), asyncio.get_running_loop()
    give_up = loop.time() + seconds
    while any(thread.is_alive() for thread in waiting):
        if loop.time() > give_up:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
