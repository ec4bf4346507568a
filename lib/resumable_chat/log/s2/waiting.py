"""Waits for the SDK's work that end at their deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_CANCELLATIONS: Final = 20
_CANCEL_SECONDS: Final = 0.05

T = TypeVar("T")


async def finished(work: Coroutine[Any, Any, T], seconds: float | None) -> T:
    """Return the result of the SDK's work. Raises TimeoutError after so many seconds (None: never).

    The SDK waits with ``asyncio.wait_for``, which in Python 3.11 swallows a cancellation that arrives together with
    the result. So the work is cancelled again and again until it has ended.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        for _ in range(_CANCELLATIONS):
            if task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
        if task.done() and not task.cancelled():
            task.exception()
