"""Log files of every version, and files that are no log."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from resumable_chat.errors import FencingTokenMismatch, LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord, Record

SCHEMA_1 = Path(__file__).parent.parent / "data" / "schema-1.db"
"""Written by version 0.1.0: two streams, with fences, a trim, a heartbeat and headers of all bytes."""


async def everything(log: SqliteLog, stream: str) -> list[Record]:
    return [record async for batch in log.read(stream, 0) for record in batch]


async def test_a_file_of_version_0_1_is_read_and_goes_on(tmp_path: Path) -> None:
    """Every record, token and number of the file is there, and appends go on behind them."""
    path = tmp_path / "log.db"
    shutil.copy(SCHEMA_1, path)
    log = SqliteLog(path)
    assert [(record.seq_num, record.body, record.headers) for record in await everything(log, "chat")] == [
        (0, b"session-1", ((b"", b"fence"),)),
        (1, b'{"type":"RUN_STARTED"}', ()),
        (2, b"", ()),
        (3, b"\x00\xff", ((b"kind", b"\x01"), (b"more", b""))),
    ]
    assert [record.seq_num for record in await everything(log, "other/é")] == [1, 2, 3]
    with pytest.raises(FencingTokenMismatch) as refused:
        await log.append("chat", [NewRecord(b"x")], fencing_token="")
    assert refused.value.current == "session-1"
    assert (await log.append("chat", [NewRecord(b"x")], fencing_token="session-1", match_seq_num=4)).end == 5
    await log.close()


_VERSION_0_1 = """
import sqlite3, sys, time

connection = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
connection.execute("PRAGMA synchronous = FULL")
for line in sys.stdin:
    connection.execute("BEGIN IMMEDIATE")
    row = connection.execute("SELECT id, next_seq, timestamp, token FROM streams WHERE name = ?", ("chat",)).fetchone()
    stream, next_seq, timestamp, token = row
    now = max(timestamp, time.time_ns() // 1_000_000)
    connection.executemany(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?)", [(stream, next_seq, now, line.strip().encode(), None)]
    )
    connection.executemany(
        "UPDATE streams SET next_seq = ?, timestamp = ?, token = ? WHERE id = ?", [(next_seq + 1, now, token, stream)]
    )
    connection.execute("COMMIT")
    print(next_seq, flush=True)
"""
"""What version 0.1.0 does to the file for one append."""


async def test_a_process_of_version_0_1_may_use_the_file_at_the_same_time(tmp_path: Path) -> None:
    """Both append, and both versions' records reach a follower at once and in order."""
    path = tmp_path / "log.db"
    shutil.copy(SCHEMA_1, path)
    log = SqliteLog(path)
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _VERSION_0_1, str(path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdin is not None and other.stdout is not None
    async with asyncio.timeout(30), aclosing(log.follow("chat", 4)) as batches:
        for number in range(4, 24, 2):
            other.stdin.write(b"old\n")
            assert int(await other.stdout.readline()) == number
            assert [(record.seq_num, record.body) for record in await anext(batches)] == [(number, b"old")]
            await log.append("chat", [NewRecord(b"new")], fencing_token="session-1", match_seq_num=number + 1)
            assert [(record.seq_num, record.body) for record in await anext(batches)] == [(number + 1, b"new")]
        other.stdin.close()
        await other.wait()
    await log.close()


async def test_a_file_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The error names both versions, and the file keeps its own."""
    path = tmp_path / "log.db"
    shutil.copy(SCHEMA_1, path)
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 2")
    later.close()
    log = SqliteLog(path)
    for call in (log.append("chat", [NewRecord(b"x")]), log.tail("chat")):
        with pytest.raises(LogUnavailable, match=r"version 2.*version 1"):
            await call
    await log.close()
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (2,)


async def test_a_restored_copy_becomes_durable_again(tmp_path: Path) -> None:
    """A copy made with VACUUM INTO has lost the WAL mode; the log gives it back."""
    path = tmp_path / "log.db"
    shutil.copy(SCHEMA_1, tmp_path / "original.db")
    original = sqlite3.connect(tmp_path / "original.db")
    original.execute("VACUUM INTO ?", (str(path),))
    original.close()
    with sqlite3.connect(path) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    copy.close()
    log = SqliteLog(path)
    assert (await log.append("chat", [NewRecord(b"x")])).start == 4
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await log.close()


async def test_a_file_that_cannot_be_durable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite has no WAL, for example without shared memory, nothing is acknowledged."""
    connect = sqlite3.connect

    class WithoutWal(sqlite3.Connection):
        def execute(self, statement: str, *args: object) -> sqlite3.Cursor:
            return super().execute(statement.replace("journal_mode = WAL", "journal_mode = TRUNCATE"), *args)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **options, factory=WithoutWal))
    log = SqliteLog(tmp_path / "log.db")
    with pytest.raises(LogUnavailable, match="durable"):
        await log.append("s", [NewRecord(b"a")])
    await log.close()
