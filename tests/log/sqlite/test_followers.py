"""Who is woken when something is appended, and who is not."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from resumable_chat.errors import LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord

from .recorder import Recorder

NEVER = 3600.0
"""Seconds between two looks for other processes' appends, when none must be needed."""


async def first(log: SqliteLog, stream: str, start: int) -> bytes:
    """The body of the first record at or past ``start``, whenever it comes."""
    async with aclosing(log.follow(stream, start)) as batches:
        return (await anext(batches))[0].body


async def settled(recorder: Recorder, followers: int) -> None:
    """Let so many followers read what there is, and begin to wait."""
    before = recorder.count("FROM records")
    async with asyncio.timeout(30):
        while recorder.count("FROM records") < before + followers:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)


async def test_own_appends_wake_followers_without_a_look_at_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appends of this process, of a session too, are delivered at once, whatever the poll interval."""
    recorder = Recorder(monkeypatch)
    log = SqliteLog(tmp_path / "log.db", poll_interval=NEVER)
    waiting = [asyncio.create_task(first(log, "s", start)) for start in (0, 1, 2)]
    await settled(recorder, 3)
    async with asyncio.timeout(20):
        await log.append("s", [NewRecord(b"0"), NewRecord(b"1")])
        assert await asyncio.gather(*waiting[:2]) == [b"0", b"1"]
        async with log.append_session("s") as session:
            await session.submit([NewRecord(b"2")])
        assert await waiting[2] == b"2"
        await log.close()


@pytest.mark.parametrize("own", [True, False], ids=["own appends", "another's appends"])
async def test_a_commit_wakes_the_followers_of_its_stream_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """While one of a hundred chats moves, the file is not read for the others."""
    recorder = Recorder(monkeypatch)
    log = SqliteLog(tmp_path / "log.db")
    writing = log if own else SqliteLog(tmp_path / "log.db")
    for index in range(100):
        await log.append(f"idle-{index}", [NewRecord(b"a")])
    idle = [asyncio.create_task(first(log, f"idle-{index}", 1)) for index in range(100)]
    async with asyncio.timeout(30), aclosing(log.follow("live", 0)) as batches:
        live = asyncio.ensure_future(anext(batches))
        await settled(recorder, 101)
        before = recorder.count("FROM records")
        for index in range(20):
            await writing.append("live", [NewRecord(b"%d" % index)])
            assert [record.body for record in await live] == [b"%d" % index]
            live = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0.02)
        assert recorder.count("FROM records") - before < 100
        for index in (0, 99):
            await writing.append(f"idle-{index}", [NewRecord(b"woken")])
            assert await idle[index] == b"woken"
        for task in (live, *idle):
            task.cancel()
        await asyncio.wait({live, *idle})
    for each in {log, writing}:
        await each.close()


async def test_two_followers_of_one_stream_are_both_woken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this process and by another, also when one of them is behind."""
    recorder = Recorder(monkeypatch)
    log, other = SqliteLog(tmp_path / "log.db"), SqliteLog(tmp_path / "log.db")
    async with asyncio.timeout(20):
        for number, writing in enumerate((log, other)):
            waiting = [asyncio.create_task(first(log, "s", number)) for _ in range(2)]
            await settled(recorder, 2)
            await writing.append("s", [NewRecord(b"%d" % number)])
            assert await asyncio.gather(*waiting) == [b"%d" % number] * 2
    await log.close()
    await other.close()


async def test_a_start_past_the_tail_waits_for_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records before it, of whichever process, wake nobody."""
    recorder = Recorder(monkeypatch)
    log, other = SqliteLog(tmp_path / "log.db"), SqliteLog(tmp_path / "log.db")
    waiting = asyncio.create_task(first(log, "s", 4))
    await settled(recorder, 1)
    before = recorder.count("FROM records")
    for index, writing in enumerate((log, other, log, other)):
        await writing.append("s", [NewRecord(b"%d" % index)])
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    assert not waiting.done() and recorder.count("FROM records") == before
    await other.append("s", [NewRecord(b"4")])
    assert await asyncio.wait_for(waiting, 20) == b"4"
    await log.close()
    await other.close()


async def test_nobody_looks_while_nobody_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that looks ends with the last follower, and comes back with the next."""
    recorder = Recorder(monkeypatch)

    def looking() -> bool:
        return any(thread.name == "sqlite-watch" for thread in threading.enumerate())

    log, other = SqliteLog(tmp_path / "log.db"), SqliteLog(tmp_path / "log.db")
    async with asyncio.timeout(20):
        for number in range(3):
            waiting = asyncio.create_task(first(log, "s", number))
            await settled(recorder, 1)
            assert looking()
            await other.append("s", [NewRecord(b"%d" % number)])
            assert await waiting == b"%d" % number
            while looking():
                await asyncio.sleep(0.01)
    await log.close()
    await other.close()


async def test_closing_ends_those_who_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower hears that the log was closed, and closing does not wait for the next look."""
    recorder = Recorder(monkeypatch)
    log = SqliteLog(tmp_path / "log.db", poll_interval=NEVER)
    waiting = asyncio.create_task(first(log, "s", 0))
    await settled(recorder, 1)
    async with asyncio.timeout(20):
        await log.close()
        with pytest.raises(LogUnavailable, match="closed"):
            await waiting
