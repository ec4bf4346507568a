"""Waiting has a bound that what does not count cannot move."""

from __future__ import annotations

import asyncio

import pytest

from resumable_chat.sources.patience import Patience


async def nothing() -> None:
    await asyncio.sleep(0)


async def test_many_short_waits_have_one_bound() -> None:
    """Also those that never suspend for long."""
    patience = Patience(0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            while True:
                await patience.wait(nothing())
    with pytest.raises(TimeoutError):
        await patience.wait(nothing())
    patience.restart(5)
    await patience.wait(nothing())
    patience.close()


async def test_the_time_between_waits_counts_only_after_the_first() -> None:
    """What a reader does with content, before it waits again, is not the server's silence."""
    patience = Patience(0.1)
    for _ in range(3):
        patience.restart(0.1)
        await asyncio.sleep(0.15)
        await patience.wait(nothing())
    patience.close()


async def test_a_cancellation_from_outside_stays_one() -> None:
    """Only the patience's own becomes a TimeoutError."""
    patience = Patience(5)
    task = asyncio.ensure_future(patience.wait(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()
    short = Patience(0.01)
    with pytest.raises(TimeoutError):
        await short.wait(asyncio.Event().wait())
    current = asyncio.current_task()
    assert current is not None and current.cancelling() == 0
