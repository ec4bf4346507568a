"""One follower and one fold for all readers of a stream, kept warm, and nobody slows the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from resumable_chat import SqliteLog
from resumable_chat.chunks import encode
from resumable_chat.records import NewRecord, Record, fence
from resumable_chat.replay import hub as module
from resumable_chat.replay.hub import Hubs, SubscriberCut

from ..chats import fresh_chat, replayed

OPENING = [fence("session-00000001"), NewRecord(encode({"type": "RUN_STARTED", "runId": "r"}))]


class CountingLog:
    """Notes where each read and each follower of a log begins, and how many follow."""

    def __init__(self, log: SqliteLog) -> None:
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
    log = CountingLog(SqliteLog(tmp_path / "log.db"))
    await log.append("s", OPENING)
    hubs = Hubs(log, lease=60, writer_lost="lost")
    hub = hubs.get("s")
    readers = await asyncio.gather(*(hub.attach(None) for _ in range(100)))
    opening = {await reader.get(5) for reader in readers}
    assert len(opening) == 1 and log.reads == [0] and log.followers == 1
    await log.append("s", [text("word")])
    live = {await reader.get(5) for reader in readers}
    assert len(live) == 1 and b"word" in (live.pop() or b"")
    for reader in readers:
        hub.detach(reader)
    await hubs.close()
    assert log.followers == 0
    await log.close()


async def test_a_second_replay_reads_only_what_is_new(tmp_path: Path) -> None:
    """The fold of a stream without readers is kept."""
    log = CountingLog(SqliteLog(tmp_path / "log.db"))
    await log.append("s", [*OPENING, text("a"), fence("end-0001")])
    async with fresh_chat(tmp_path, log) as chat:  # type: ignore[arg-type]
        first = await replayed(chat, "s")
        await log.append("s", [fence("session-2"), text("b"), fence("end-0002")], fencing_token="end-0001")
        second = await replayed(chat, "s")
        assert log.reads == [0, 4]
        assert first != second and "b" in str(second)


async def test_what_is_kept_warm_is_bounded(tmp_path: Path) -> None:
    """The least recently read streams go first; one with a reader stays."""
    log = SqliteLog(tmp_path / "log.db")
    hubs = Hubs(log, lease=60, writer_lost="lost", keep=3)
    read = hubs.get("read")
    reader = await read.attach(None)
    warm = [hubs.get(f"s{index}") for index in range(5)]
    assert hubs.get("read") is read
    assert hubs.get("s4") is warm[4]
    assert hubs.get("s0") is not warm[0]
    assert len(hubs._hubs) <= 3
    read.detach(reader)
    await hubs.close()
    await log.close()


async def test_a_slow_reader_is_cut_and_slows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not read is cut off at the bound; who reads gets everything."""
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10_000)
    log = SqliteLog(tmp_path / "log.db")
    await log.append("s", OPENING)
    hubs = Hubs(log, lease=60, writer_lost="lost")
    hub = hubs.get("s")
    slow, quick = await hub.attach(None), await hub.attach(None)
    received = b""
    async with asyncio.timeout(20):
        for index in range(30):
            await log.append("s", [text(f"<{index}>" + "x" * 1000)])
            while f"<{index}>".encode() not in received:
                received += await quick.get(5) or b""
    with pytest.raises(SubscriberCut, match="too slow"):
        await slow.get(5)
    assert not slow._queue
    await hubs.close()
    await log.close()


async def test_a_reader_who_leaves_while_it_waits_for_the_log_is_forgotten(tmp_path: Path) -> None:
    """A cancelled attach leaves no follower behind."""
    log = CountingLog(SqliteLog(tmp_path / "log.db"))
    hubs = Hubs(log, lease=60, writer_lost="lost")
    attaching = asyncio.create_task(hubs.get("s").attach(None))
    await asyncio.sleep(0)
    attaching.cancel()
    await asyncio.gather(attaching, return_exceptions=True)
    assert hubs.get("s").idle
    await hubs.close()
    assert log.followers == 0
    await log.close()
