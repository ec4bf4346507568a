"""Work behind responses, outside Lambda."""

from __future__ import annotations

import asyncio
import logging

import pytest

import lambda_asgi
from lambda_asgi import Background


async def test_work_runs_at_once_and_is_awaited() -> None:
    """wait_until starts any awaitable without being awaited itself; drain waits for it and for what it started."""
    done: list[str] = []

    async def work(name: str, then: str | None = None) -> None:
        await asyncio.sleep(0.01)
        done.append(name)
        if then is not None:
            lambda_asgi.wait_until(work(then))

    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lambda_asgi.wait_until(work("a", then="b"))
    lambda_asgi.wait_until(future)
    asyncio.get_running_loop().call_later(0.05, future.set_result, None)
    await lambda_asgi.drain(5)
    assert (done, future.done()) == (["a", "b"], True)


async def test_what_work_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An error behind a response is in the log, and stops nothing else."""
    background = Background()

    async def work() -> None:
        raise ValueError("of work")

    background.wait_until(work())
    await background.drain(5)
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("of work",)]
    assert caplog.records[0].levelno == logging.ERROR
    assert len(background) == 0


async def test_drain_cancels_what_takes_too_long() -> None:
    """After its seconds drain cancels, and waits for the clean-up, but not for one that never ends."""
    background = Background()
    cleaned = asyncio.Event()
    stubborn = asyncio.Event()

    async def polite() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    async def deaf() -> None:
        while not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue

    background.wait_until(polite())
    background.wait_until(deaf())
    async with asyncio.timeout(5):
        await background.drain(0.02, grace=0.2)
    assert cleaned.is_set()
    assert len(background) == 1
    stubborn.set()
    await asyncio.sleep(0)


async def test_what_does_not_end_is_not_waited_for_again(caplog: pytest.LogCaptureFixture) -> None:
    """Work that outlives its cancellation does not hold the drains after it, and the log says so."""
    background = Background()
    over = asyncio.Event()

    async def deaf() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    task = background.wait_until(deaf())
    await asyncio.sleep(0)
    await background.drain(0, grace=0.01)
    assert "cancelled" in caplog.text and "does not end" in caplog.text
    async with asyncio.timeout(5):
        await background.drain(60)
    over.set()
    await task
    assert len(background) == 0


async def test_work_that_a_cancellation_starts() -> None:
    """What work hands over while it is being cancelled is waited for as well, for as long as it may clean up."""
    background = Background()
    done: list[str] = []

    async def farewell() -> None:
        await asyncio.sleep(0.05)
        done.append("farewell")

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            background.wait_until(farewell())

    background.wait_until(work())
    await asyncio.sleep(0)
    await background.drain(0, grace=5)
    assert done == ["farewell"]


def test_outside_the_event_loop() -> None:
    """Called from a thread, or before the loop runs, wait_until says what to do, and leaves no coroutine behind."""

    async def work() -> None:
        pass

    with pytest.raises(RuntimeError, match="async def"):
        lambda_asgi.wait_until(work())
