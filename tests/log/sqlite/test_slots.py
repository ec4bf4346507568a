"""How much may wait to be written, and in which order it is let in."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.log.sqlite.slots import Slots

from ...virtual import run


async def test_only_so_many_are_let_in() -> None:
    """The one over the count waits until one of those before it is done."""
    slots = Slots(2, 100)
    await slots.acquire(1)
    await slots.acquire(1)
    third = asyncio.ensure_future(slots.acquire(1))
    await asyncio.sleep(0)
    assert not third.done()
    slots.release(1)
    await third


async def test_only_so_many_bytes_are_let_in() -> None:
    """What does not fit waits, and so does what would fit but came later."""
    slots = Slots(9, 100)
    await slots.acquire(60)
    large, small = asyncio.ensure_future(slots.acquire(50)), asyncio.ensure_future(slots.acquire(1))
    await asyncio.sleep(0)
    assert not large.done() and not small.done()
    slots.release(60)
    await asyncio.gather(large, small)


async def test_one_over_the_bound_is_let_in_alone() -> None:
    """A batch larger than the bound does not wait for ever."""
    slots = Slots(9, 100)
    await slots.acquire(500)
    second = asyncio.ensure_future(slots.acquire(1))
    await asyncio.sleep(0)
    assert not second.done()
    slots.release(500)
    await second


async def test_whoever_gives_up_leaves_the_way_free() -> None:
    """A cancelled wait lets in those behind it, also when it was cancelled after it was granted."""
    for yields in range(4):
        slots = Slots(1, 100)
        await slots.acquire(1)
        first, second = asyncio.ensure_future(slots.acquire(1)), asyncio.ensure_future(slots.acquire(1))
        await asyncio.sleep(0)
        slots.release(1)
        for _ in range(yields):
            await asyncio.sleep(0)
        if not first.cancel():
            slots.release(1)
        await asyncio.wait({first, second}, timeout=5)
        assert second.done() and not second.cancelled()


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 3), st.booleans()), max_size=40))
def test_all_are_let_in_and_the_bounds_hold(appends: list[tuple[int, int, bool]]) -> None:
    """Whatever comes, stays and is cancelled in which order: nobody waits for ever, and no bound is passed."""

    async def main() -> None:
        slots = Slots(3, 100)
        inside: list[int] = []

        async def one(size: int, pause: int) -> None:
            await slots.acquire(size)
            inside.append(size)
            assert len(inside) == 1 or (len(inside) <= 3 and sum(inside) <= 100)
            try:
                await asyncio.sleep(pause)
            finally:
                inside.remove(size)
                slots.release(size)

        tasks = []
        for size, pause, cancelled in appends:
            tasks.append(asyncio.ensure_future(one(size, pause)))
            if cancelled:
                await asyncio.sleep(0.5)
                tasks[len(tasks) // 2].cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError)
        for _ in range(3):
            await asyncio.wait_for(slots.acquire(33), 1)

    run(main())
