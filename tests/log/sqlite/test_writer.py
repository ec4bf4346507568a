"""The thread that writes: durable, in groups, within bounds, and never without an answer."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from resumable_chat.errors import AppendOutcomeUnknown, LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.log.sqlite.file import LogFile
from resumable_chat.log.sqlite.queue import Lane
from resumable_chat.log.sqlite.writer import Writer
from resumable_chat.protocol.records import NewRecord

from ...virtual import run
from .recorder import Recorder


async def test_an_append_is_on_disk_when_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection that commits records syncs the write-ahead log at each commit."""
    recorder = Recorder(monkeypatch)
    log = SqliteLog(tmp_path / "log.db")
    await log.append("s", [NewRecord(b"a")])
    async with log.append_session("s") as session:
        await session.submit([NewRecord(b"b")])
    writing = recorder.with_statement("INSERT INTO records")
    assert writing
    for connection, _ in writing:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await log.close()


class Locked:
    """Another program's lock on the file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


async def made(path: Path) -> None:
    """Make the file, with one record in it."""
    log = SqliteLog(path)
    await log.append("s", [NewRecord(b"0")])
    await log.close()


async def submitted(log: SqliteLog, count: int, size: int) -> tuple[int, asyncio.Task[None]]:
    """How many of so many batches are taken without waiting, and the task that submits them all."""
    taken = 0

    async def submit() -> None:
        nonlocal taken
        async with log.append_session("t") as session:
            for _ in range(count):
                await session.submit([NewRecord(b"x" * size)])
                taken += 1

    task = asyncio.create_task(submit())
    for _ in range(10):
        await asyncio.sleep(0)
    return taken, task


@pytest.mark.parametrize(("count", "size", "bound"), [(1100, 10, 1024), (40, 1024 * 1024 - 8, 32)])
async def test_what_waits_to_be_written_is_bounded(tmp_path: Path, count: int, size: int, bound: int) -> None:
    """While nothing can be written, 1,024 appends or 32 MiB are taken; the others wait, and land later."""
    await made(tmp_path / "log.db")
    lock, log = Locked(tmp_path / "log.db"), SqliteLog(tmp_path / "log.db", busy_timeout=30)
    taken, submitting = await submitted(log, count, size)
    assert taken == bound
    lock.release()
    await submitting
    assert (await log.tail("t")).seq_num == count
    await log.close()


async def test_a_commit_takes_what_waits_up_to_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six hundred appends that waited for a lock take a few commits, of 256 appends at most."""
    await made(tmp_path / "log.db")
    recorder = Recorder(monkeypatch)
    lock, log = Locked(tmp_path / "log.db"), SqliteLog(tmp_path / "log.db", busy_timeout=30)
    _, submitting = await submitted(log, 600, 10)
    lock.release()
    await submitting
    [(_, statements)] = recorder.with_statement("INSERT INTO records")
    groups = [0]
    for statement in statements:
        if statement == "COMMIT":
            groups.append(0)
        elif statement.startswith("INSERT INTO records"):
            groups[-1] += 1
    assert sum(groups) == 600 and max(groups) == 256 and len([group for group in groups if group]) <= 4
    await log.close()


PATIENCE = 95.0
"""Seconds within which an append with a ``busy_timeout`` of 30 s is answered."""


def test_an_append_that_hangs_is_answered_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun may have landed, what was not has not, and all behind them in their session fail."""
    path = tmp_path / "log.db"
    asyncio.run(made(path))
    lock, recorder = Locked(path), Recorder(monkeypatch)

    log = SqliteLog(path, busy_timeout=30)

    async def main() -> tuple[float, list[object]]:
        async with log.append_session("s") as session:
            tickets = [await session.submit([NewRecord(b"1")])]
            while not recorder.count("BEGIN IMMEDIATE"):
                time.sleep(0.01)  # noqa: ASYNC251 - virtual time stands still until the thread has taken it
            tickets += [await session.submit([NewRecord(b"%d" % index)]) for index in (2, 3)]
            results: list[object] = list(await asyncio.gather(*tickets, return_exceptions=True))
            took = asyncio.get_running_loop().time()
            results += await asyncio.gather(await session.submit([NewRecord(b"late")]), return_exceptions=True)
        return took, results

    took, results = run(main())
    lock.release()
    asyncio.run(log.close())
    assert PATIENCE <= took < PATIENCE + 1
    assert all(isinstance(result, LogUnavailable) for result in results)
    assert [isinstance(result, AppendOutcomeUnknown) for result in results[:3]] == [True, False, False]
    reader = sqlite3.connect(path)
    assert reader.execute("SELECT next_seq FROM streams WHERE name = 's'").fetchone()[0] <= 2
    reader.close()


def test_a_submitter_waits_for_room_until_the_deadline(tmp_path: Path) -> None:
    """When nothing is written for all that time, those that wait for room are told as well."""
    path = tmp_path / "log.db"
    asyncio.run(made(path))
    lock = Locked(path)

    log = SqliteLog(path, busy_timeout=30)

    async def main() -> tuple[float, list[object]]:
        appends = [log.append(f"s{index}", [NewRecord(b"x")]) for index in range(1100)]
        results = await asyncio.gather(*appends, return_exceptions=True)
        return asyncio.get_running_loop().time(), list(results)

    took, results = run(main())
    lock.release()
    asyncio.run(log.close())
    assert PATIENCE <= took < PATIENCE + 1
    assert all(isinstance(result, LogUnavailable) for result in results)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_died_is_replaced(tmp_path: Path) -> None:
    """Whatever ended it, the next append starts another one, and lands."""
    file = LogFile(tmp_path / "log.db", busy_timeout=5, max_bytes=None)
    calls: list[dict[str, int]] = []

    def committed(ends: object) -> None:
        calls.append(dict(ends))  # type: ignore[call-overload]
        raise SystemExit

    writer = Writer(file, committed, patience=20)
    for index in range(3):
        appended = await (await writer.submit(Lane(), "s", [NewRecord(b"a")], None, index))
        assert appended.start == index
        while len(calls) <= index:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    assert calls == [{"s": 1}, {"s": 2}, {"s": 3}]
    assert await writer.close(20)
