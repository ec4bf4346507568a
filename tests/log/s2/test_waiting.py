"""Waits that end, whatever they wait for does."""

from __future__ import annotations

import asyncio

import pytest

from resumable_chat.log.s2.waiting import finished

from ...virtual import run


async def never() -> None:
    await asyncio.Event().wait()


async def stubborn(times: int) -> str:
    """Swallow so many cancellations, as asyncio.wait_for of Python 3.11 can."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
    return "done"


def test_the_result_or_the_error_comes_through() -> None:
    """Work that ends in time is as if it had been awaited."""

    async def failing() -> None:
        raise ValueError("odd")

    async def main() -> None:
        assert await finished(asyncio.sleep(2, "slept"), 3) == "slept"
        assert await finished(asyncio.sleep(2000, "slept"), None) == "slept"
        with pytest.raises(ValueError, match="odd"):
            await finished(failing(), 3)

    run(main())


@pytest.mark.parametrize("swallowed", [0, 1, 5, 1000])
def test_work_that_takes_too_long_is_given_up(swallowed: int) -> None:
    """The deadline holds also for work that swallows its cancellation."""

    async def main() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await finished(stubborn(swallowed) if swallowed else never(), 3)
        took = asyncio.get_running_loop().time() - began
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
        return took

    assert 3 <= run(main()) < 5


def test_a_caller_that_is_cancelled_leaves_nothing_running() -> None:
    """The work is cancelled with it."""

    async def main() -> None:
        caller = asyncio.ensure_future(finished(stubborn(3), None))
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.wait({caller})
        assert caller.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
