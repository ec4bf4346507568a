"""One follower and one fold for all readers of a stream, kept warm, and nobody slows the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from resumable_chat.engine import tail as module
from resumable_chat.engine.tail import SubscriberCut, Tails
from resumable_chat.log.port import Log
from resumable_chat.protocol.chunks import encode
from resumable_chat.protocol.records import NewRecord, Record, fence

from ..chats import fresh_chat, fresh_log, replayed

OPENING = [fence("session-00000001"), NewRecord(encode({"type": "RUN_STARTED", "runId": "r"}))]


class CountingLog:
    """Notes where each read and each follower of a log begins, and how many follow."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.reads: list[int] = []
        self.followers = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        self.reads.append(start)
        async with aclosing(self._log.read(stream, start, end=end)) as batches:
            async for records in batches:
                yield records

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        self.followers += 1
        try:
            async with aclosing(self._log.follow(stream, start)) as batches:
                async for records in batches:
                    yield records
        finally:
            self.followers -= 1


def text(delta: str) -> NewRecord:
    return NewRecord(encode({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta}))


async def test_any_number_of_readers_share_one_follower(tmp_path: Path) -> None:
    """A hundred subscribers, one read of the log and one follower; all get the same bytes."""
    async with fresh_log(tmp_path) as opened:
        log = CountingLog(opened)
        await log.append("s", OPENING)
        tails = Tails(log, lease=60, writer_lost="lost")
        tail = tails.get("s")
        readers = await asyncio.gather(*(tail.attach(None) for _ in range(100)))
        opening = {await reader.get(5) for reader in readers}
        assert len(opening) == 1 and log.reads == [0] and log.followers == 1
        await log.append("s", [text("word")])
        live = {await reader.get(5) for reader in readers}
        assert len(live) == 1 and b"word" in (live.pop() or b"")
        for reader in readers:
            tail.detach(reader)
        await tails.close()
        assert log.followers == 0


async def test_a_second_replay_reads_only_what_is_new(tmp_path: Path) -> None:
    """The fold of a stream without readers is kept."""
    async with fresh_log(tmp_path) as opened:
        log = CountingLog(opened)
        await log.append("s", [*OPENING, text("a"), fence("end-0001")])
        async with fresh_chat(tmp_path, log) as chat:  # type: ignore[arg-type]
            first = await replayed(chat, "s")
            await log.append("s", [fence("session-2"), text("b"), fence("end-0002")], fencing_token="end-0001")
            second = await replayed(chat, "s")
            assert log.reads == [0, 4]
            assert first != second and "b" in str(second)


async def test_what_is_kept_warm_is_bounded(tmp_path: Path) -> None:
    """The least recently read streams go first; one with a reader stays."""
    async with fresh_log(tmp_path) as log:
        tails = Tails(log, lease=60, writer_lost="lost", keep=3)
        read = tails.get("read")
        reader = await read.attach(None)
        warm = [tails.get(f"s{index}") for index in range(5)]
        assert tails.get("read") is read
        assert tails.get("s4") is warm[4]
        assert tails.get("s0") is not warm[0]
        assert len(tails._tails) <= 3
        read.detach(reader)
        await tails.close()


async def test_what_is_kept_warm_is_bounded_in_bytes(tmp_path: Path) -> None:
    """Large chats push the oldest ones out before there are many."""
    async with fresh_log(tmp_path) as log:
        tails = Tails(log, lease=60, writer_lost="lost", keep_bytes=25_000)
        for index in range(5):
            await log.append(f"s{index}", [*OPENING, text("x" * 10_000), fence("end-0001")])
            tail = tails.get(f"s{index}")
            tail.detach(await tail.attach(None))
        tails.get("s4")
        assert list(tails._tails) == ["s3", "s4"]
        await tails.close()


class SlowEnd(CountingLog):
    """A log whose reads take their time to say that they are at the end."""

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        async with aclosing(self._log.read(stream, start, end=end)) as batches:
            async for records in batches:
                yield records
        await asyncio.sleep(0.5)


async def test_a_reader_that_still_reads_closes_nothing(tmp_path: Path) -> None:
    """A running generation is not abandoned because a new reader has not come to the end of the log yet."""
    async with fresh_log(tmp_path) as opened:
        log = SlowEnd(opened)
        await log.append("s", OPENING)
        tails = Tails(log, lease=2, writer_lost="lost")  # type: ignore[arg-type]
        tail = tails.get("s")
        await tail.attach(None)
        assert tail.view.running and (await log.tail("s")).seq_num == 2
        await tails.close()


async def test_a_process_that_stood_still_closes_nothing_at_once(tmp_path: Path) -> None:
    """After a freeze, silence says nothing about a writer: the lease begins anew, and then it counts."""
    async with fresh_log(tmp_path) as log:
        await log.append("s", OPENING)
        tails = Tails(log, lease=1.5, writer_lost="lost")
        tail = tails.get("s")
        await tail.attach(None)
        await asyncio.sleep(0.1)
        time.sleep(3)  # noqa: ASYNC251 - nothing in this process moves
        await asyncio.sleep(0.7)
        assert tail.view.running
        async with asyncio.timeout(20):
            while tail.view.running:
                await asyncio.sleep(0.05)
        await tails.close()


async def test_a_log_that_stood_still_is_no_silent_writer(tmp_path: Path) -> None:
    """While the log takes long to answer, nobody is closed; once it is well, the lease begins anew."""

    class Stalled(CountingLog):
        asked = 0

        async def tail(self, stream: str) -> Any:
            self.asked += 1
            await asyncio.sleep(1.5 if self.asked == 1 else 0)
            return await self._log.tail(stream)

    async with fresh_log(tmp_path) as opened:
        log = Stalled(opened)
        await log.append("s", OPENING)
        tails = Tails(log, lease=1.0, writer_lost="lost")  # type: ignore[arg-type]
        tail = tails.get("s")
        await tail.attach(None)
        async with asyncio.timeout(20):
            while tail.view.running:
                await asyncio.sleep(0.05)
        assert log.asked == 2
        await tails.close()


async def test_a_response_that_never_began_leaves_no_subscriber(tmp_path: Path) -> None:
    """A client that is gone before the headers are out is forgotten, like any other."""
    async with fresh_log(tmp_path) as opened:
        log = CountingLog(opened)
        await log.append("s", OPENING)
        async with fresh_chat(tmp_path, log) as chat:  # type: ignore[arg-type]

            async def gone(message: Any) -> None:
                raise OSError("the client is gone")

            response = await chat.replay("s")
            await asyncio.sleep(0.2)
            assert not chat._chat._tails.get("s").idle
            with pytest.raises((OSError, ClientDisconnect)):
                await response({"type": "http", "asgi": {"spec_version": "2.4"}}, asyncio.Event().wait, gone)  # type: ignore[arg-type]
            assert chat._chat._tails.get("s").idle


async def test_a_slow_reader_is_cut_and_slows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not read is cut off at the bound; who reads gets everything."""
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10_000)
    async with fresh_log(tmp_path) as log:
        await log.append("s", OPENING)
        tails = Tails(log, lease=60, writer_lost="lost")
        tail = tails.get("s")
        slow, quick = await tail.attach(None), await tail.attach(None)
        received = b""
        async with asyncio.timeout(20):
            for index in range(30):
                await log.append("s", [text(f"<{index}>" + "x" * 1000)])
                while f"<{index}>".encode() not in received:
                    received += await quick.get(5) or b""
        with pytest.raises(SubscriberCut, match="too slow"):
            await slow.get(5)
        assert not slow._queue
        await tails.close()


async def test_a_reader_who_leaves_while_it_waits_for_the_log_is_forgotten(tmp_path: Path) -> None:
    """A cancelled attach leaves no follower behind."""
    async with fresh_log(tmp_path) as opened:
        log = CountingLog(opened)
        tails = Tails(log, lease=60, writer_lost="lost")
        attaching = asyncio.create_task(tails.get("s").attach(None))
        await asyncio.sleep(0)
        attaching.cancel()
        await asyncio.gather(attaching, return_exceptions=True)
        assert tails.get("s").idle
        await tails.close()
        assert log.followers == 0
