"""The tails of one process, kept warm within bounds."""

from __future__ import annotations

import asyncio

import pytest

from resumable_chat.engine.subscription import SubscriberCut
from resumable_chat.engine.tail import TailOptions
from resumable_chat.engine.tails import Tails
from resumable_chat.errors import LogUnavailable
from resumable_chat.wire.s2 import S2Session

from ..logs import OURS, VirtualLog, answer
from ..virtual import run

OPTIONS = TailOptions(60, "lost")
SESSION = S2Session()


def test_what_is_kept_warm_is_bounded() -> None:
    """The least recently read streams go first; one with a reader stays."""

    async def play() -> None:
        tails = Tails(VirtualLog(), OPTIONS, keep=3)
        read = tails.get("read")
        reader = await read.subscribe(SESSION)
        warm = [tails.get(f"s{index}") for index in range(5)]
        assert tails.get("read") is read and tails.get("s4") is warm[4]
        assert [name for name in ("read", "s0", "s1", "s2", "s3", "s4") if name in tails] == ["read", "s3", "s4"]
        read.unsubscribe(reader)
        await tails.close()
        await asyncio.sleep(10)

    run(play())


def test_what_is_kept_warm_is_bounded_in_bytes() -> None:
    """Large chats push the oldest ones out before there are many."""

    async def play() -> None:
        log = VirtualLog()
        tails = Tails(log, OPTIONS, keep_bytes=25_000)
        for index in range(5):
            log.add(OURS, *answer("a", "r", "x" * 10_000), "end-0", stream=f"s{index}")
            tail = tails.get(f"s{index}")
            tail.unsubscribe(await tail.subscribe(SESSION))
        tails.get("s4")
        assert [f"s{index}" in tails for index in range(5)] == [False, False, False, True, True]
        await tails.close()
        await asyncio.sleep(10)

    run(play())


def test_the_usual_bounds_are_256_streams_and_64_mib() -> None:
    """Of idle ones: what has a reader stays."""

    async def play() -> None:
        log = VirtualLog()
        tails = Tails(log, OPTIONS)
        for index in range(257):
            tails.get(f"s{index}")
        assert "s0" not in tails and "s1" in tails
        for index in range(1, 6):
            log.add(OURS, *answer("a", "r", *["x" * 900_000] * 16), "end-0", stream=f"s{index}")
            tail = tails.get(f"s{index}")
            tail.unsubscribe(await tail.subscribe(SESSION))
        tails.get("s5")
        assert "s1" not in tails and "s2" in tails
        await tails.close()
        await asyncio.sleep(10)

    run(play())


def test_readers_that_wait_when_the_server_shuts_down_are_cut_too() -> None:
    """A server waits for open responses before it ends, so none may stay open; later readers are refused."""

    async def play() -> None:
        tails = Tails(VirtualLog(), OPTIONS)
        tail = tails.get("s")
        there, coming = await tail.subscribe(SESSION), asyncio.create_task(tail.subscribe(SESSION))
        await asyncio.sleep(0)
        await there.get(1)
        tails.cut()
        for reader in (there, await coming):
            with pytest.raises(SubscriberCut, match="shutting down"):
                await reader.get(1)
        with pytest.raises(LogUnavailable, match="shutting down"):
            await tail.subscribe(SESSION)
        await tails.close()
        await asyncio.sleep(10)

    run(play())
