"""What the SQLite engine promises beyond the contract: several processes, durability, and clear refusals."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from resumable_chat.errors import LogError, LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord, fence

from ...virtual import run

_WRITER = """
import asyncio, sys
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord

async def main():
    log = SqliteLog(sys.argv[1])
    for line in sys.stdin:
        appended = await log.append("s", [NewRecord(line.strip().encode())])
        print(appended.end, flush=True)

asyncio.run(main())
"""


def writer(path: Path) -> subprocess.Popen[str]:
    """A process that appends each line it is given, and answers when the line is acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def tell(process: subprocess.Popen[str], line: str) -> int:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


async def test_a_follower_sees_what_another_process_appends(tmp_path: Path) -> None:
    """A follower is woken by commits of other processes."""
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    other = writer(path)
    try:
        async with asyncio.timeout(20), aclosing(log.follow("s", 0)) as batches:
            for line in ("one", "two", "three"):
                await asyncio.to_thread(tell, other, line)
                assert [record.body for record in await anext(batches)] == [line.encode()]
    finally:
        end(other)
        await log.close()


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """A process killed right after an acknowledgement has lost nothing, and the file needs no repair."""
    path = tmp_path / "log.db"
    expected = 0
    for round_ in range(3):
        other = writer(path)
        for index in range(5):
            expected = tell(other, f"{round_}-{index}")
        other.kill()
        end(other)
        log = SqliteLog(path)
        assert (await log.tail("s")).seq_num == expected == 5 * (round_ + 1)
        await log.close()


async def test_many_may_make_the_file_at_once(tmp_path: Path) -> None:
    """Ten logs that open a file that is not there yet all find it usable."""
    for round_ in range(10):
        logs = [SqliteLog(tmp_path / f"{round_}.db") for _ in range(10)]
        await asyncio.gather(*(log.append("s", [NewRecord(b"a")]) for log in logs), *(log.tail("s") for log in logs))
        assert (await logs[0].tail("s")).seq_num == 10
        await asyncio.gather(*(log.close() for log in logs))


async def test_two_processes_append_to_one_stream(tmp_path: Path) -> None:
    """Numbers stay without gaps when two processes write at once."""
    path = tmp_path / "log.db"
    others = [writer(path), writer(path)]

    def tell_all(process: subprocess.Popen[str]) -> None:
        for number in range(30):
            tell(process, str(number))

    await asyncio.gather(*(asyncio.to_thread(tell_all, other) for other in others))
    for other in others:
        end(other)
    log = SqliteLog(path)
    records = [record async for batch in log.read("s", 0) for record in batch]
    assert [record.seq_num for record in records] == list(range(60))
    await log.close()


async def test_a_locked_file_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    """While another program holds the lock, appends are refused with advice; afterwards they work again."""
    path = tmp_path / "log.db"
    log = SqliteLog(path, busy_timeout=0.1)
    await log.append("s", [NewRecord(b"a")])
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="locked"):
        await log.append("s", [NewRecord(b"b")])
    holder.execute("ROLLBACK")
    holder.close()
    assert (await log.append("s", [NewRecord(b"b")])).start == 1
    await log.close()


async def test_a_full_file_is_unavailable_and_stays_whole(tmp_path: Path) -> None:
    """At its size limit the log refuses batches whole, and what it holds can be read."""
    log = SqliteLog(tmp_path / "log.db", max_bytes=200_000)
    landed = 0
    with pytest.raises(LogUnavailable, match="full"):
        while True:
            await log.append("s", [NewRecord(b"x" * 10_000)])
            landed += 1
    records = [record async for batch in log.read("s", 0) for record in batch]
    assert len(records) == landed > 0
    await log.close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, None])
async def test_a_file_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path, content: bytes | None) -> None:
    """A damaged file, or the database of another program, is named with advice and not changed."""
    path = tmp_path / "log.db"
    if content is None:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE theirs (x)")
        other.commit()
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    log = SqliteLog(path)
    with pytest.raises(LogUnavailable, match="CHAT_LOG"):
        await log.append("s", [NewRecord(b"a")])
    with pytest.raises(LogUnavailable):
        await log.tail("s")
    await log.close()
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A path through a file, which no folder can be, is an error that says what to do."""
    (tmp_path / "file").write_text("")
    log = SqliteLog(tmp_path / "file" / "log.db")
    with pytest.raises(LogError, match="writable"):
        await log.append("s", [NewRecord(b"a")])
    await log.close()


async def test_many_tasks_share_commits(tmp_path: Path) -> None:
    """A thousand concurrent appends to many streams all land, in order per stream."""
    log = SqliteLog(tmp_path / "log.db")

    async def write(stream: str) -> None:
        await log.append(stream, [fence("session-1")], fencing_token="")
        for index in range(20):
            await log.append(stream, [NewRecord(b"%d" % index)], fencing_token="session-1", match_seq_num=index + 1)

    await asyncio.gather(*(write(f"s{index}") for index in range(50)))
    for index in range(50):
        assert (await log.tail(f"s{index}")).seq_num == 21
    await log.close()


def test_closing_ends_at_its_deadline(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A thread that hangs is left to itself, and the log says so; appends under way hear that nobody knows."""
    path = tmp_path / "log.db"

    async def make() -> None:
        log = SqliteLog(path)
        await log.append("s", [NewRecord(b"a")])
        await log.close()

    asyncio.run(make())
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    async def hang() -> object:
        log = SqliteLog(path, busy_timeout=30)
        appending = asyncio.ensure_future(log.append("s", [NewRecord(b"b")]))
        await asyncio.sleep(0)
        await log.close()
        return (await asyncio.gather(appending, return_exceptions=True))[0]

    assert isinstance(run(hang()), LogUnavailable)
    holder.execute("ROLLBACK")
    holder.close()
    assert "still run" in caplog.text
