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
    await background.drain(1)
