"""A log file that is deleted, moved, replaced, damaged, full or no file at all: an error that says so, and no loss."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from resumable_chat.errors import ConfigurationError, LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import Kind, NewRecord, kind


def delete(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)


def delete_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def delete_wal(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def files(folder: Path) -> list[Path] | None:
    return sorted(folder.iterdir()) if folder.exists() else None


@pytest.mark.parametrize("fault", [delete, move, replace, delete_all, delete_wal, delete_folder])
async def test_a_file_that_is_gone_or_another_is_told(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """Appends, reads, tails and those who wait for records hear of it, and no other file is made."""
    path = tmp_path / "folder" / "log.db"
    log = SqliteLog(path)
    await log.append("s", [NewRecord(b"a")])
    assert (await log.tail("s")).seq_num == 1
    async with asyncio.timeout(20), aclosing(log.follow("s", 1)) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.1)
        fault(path)
        there = files(path.parent)
        for call in (waiting, log.append("s", [NewRecord(b"b")]), log.tail("s"), anext(log.read("s", 0))):
            with pytest.raises(LogUnavailable, match="deleted, moved or replaced"):
                await call
    async with log.append_session("s") as session:
        with pytest.raises(LogUnavailable, match="deleted, moved or replaced"):
            await (await session.submit([NewRecord(b"b")]))
    assert there == files(path.parent)
    await log.close()


@pytest.mark.parametrize("fault", [delete, delete_all, delete_wal])
async def test_a_thread_that_comes_later_hears_of_it_too(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """A first read, after appends alone, makes no other file either."""
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    await log.append("s", [NewRecord(b"a")])
    fault(path)
    there = files(tmp_path)
    with pytest.raises(LogUnavailable, match="deleted, moved or replaced"):
        await log.tail("s")
    assert there == files(tmp_path)
    await log.close()


async def test_a_file_that_is_put_back_is_used_again(tmp_path: Path) -> None:
    """What was acknowledged before is there, and appends go on."""
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    await log.append("s", [NewRecord(b"a")])
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(LogUnavailable):
        await log.append("s", [NewRecord(b"lost")])
    (tmp_path / "elsewhere.db").rename(path)
    assert (await log.append("s", [NewRecord(b"b")])).start == 1
    assert (await log.tail("s")).seq_num == 2
    await log.close()


async def test_a_relative_path_survives_a_change_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is the one that the path named when the log was made."""
    monkeypatch.chdir(tmp_path)
    log = SqliteLog("log.db")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    await log.append("s", [NewRecord(b"a")])
    monkeypatch.chdir("/")
    assert (await log.append("s", [NewRecord(b"b")])).start == 1
    assert (tmp_path / "log.db").exists()
    await log.close()


@pytest.mark.parametrize("path", ["", ".", "/", ":memory:", "a\0b"])
def test_a_path_that_names_no_file_is_refused_at_once(path: str) -> None:
    """A database in memory would be another one for every connection."""
    with pytest.raises(ConfigurationError, match=r"chat\.db"):
        SqliteLog(path)


@pytest.mark.parametrize("kind_of", ["folder", "pipe", "device"])
async def test_a_path_to_something_else_is_named(tmp_path: Path, kind_of: str) -> None:
    """A folder, a pipe and a device are no files for a log, and are left alone."""
    path = tmp_path / "log.db"
    if kind_of == "folder":
        path.mkdir()
    elif kind_of == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/null")
    log = SqliteLog(path)
    for call in (log.append("s", [NewRecord(b"a")]), log.tail("s"), anext(log.follow("s", 0))):
        async with asyncio.timeout(20):
            with pytest.raises(LogUnavailable, match=f"{path} is .*CHAT_LOG"):
                await call
    await log.close()


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Pages that hold rubbish are an error with advice for reads and appends, and never another exception."""
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    for _ in range(20):
        await log.append("s", [NewRecord(b"x" * 10_000)])
    await log.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    log = SqliteLog(path)
    for call in (log.append("s", [NewRecord(b"a")]), log.tail("s"), anext(log.read("s", 0)), anext(log.follow("s", 0))):
        with pytest.raises(LogUnavailable, match="damaged"):
            await call
    await log.close()


async def test_a_damaged_record_costs_only_itself(tmp_path: Path) -> None:
    """Headers that cannot be read make a record that readers skip, and a body is bytes whatever SQLite holds."""
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    await log.append("s", [NewRecord(b"%d" % index) for index in range(6)])
    with sqlite3.connect(path) as editor:
        for seq, headers in enumerate([b"\xff", "[[", b"[[1,2]]", 5, b'[["zz","zz"]]']):
            editor.execute("UPDATE records SET headers = ? WHERE seq = ?", (headers, seq))
        editor.execute("UPDATE records SET body = 'text' WHERE seq = 5")
    editor.close()
    records = [record async for batch in log.read("s", 0) for record in batch]
    assert [kind(record) for record in records] == [Kind.FOREIGN] * 5 + [Kind.DATA]
    assert records[5].body == b"text"
    await log.close()


def in_a_process(script: str, *arguments: str) -> list[str]:
    """The lines that a Python script prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


_FULL = """
import asyncio, resource, sys
from resumable_chat.errors import LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord

async def main():
    log, landed = SqliteLog(sys.argv[1]), 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    for _ in range(100):
        try:
            await log.append("s", [NewRecord(b"x" * 10_000)], match_seq_num=landed)
            landed += 1
        except LogUnavailable as error:
            print(error)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    landed = (await log.tail("s")).seq_num - landed
    assert landed in (0, 1)
    await log.append("s", [NewRecord(b"after")], match_seq_num=(await log.tail("s")).seq_num)
    print(len([record async for batch in log.read("s", 0) for record in batch]))
    await log.close()

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_loses_nothing(tmp_path: Path) -> None:
    """A write that the system refuses is an error with advice; when there is room again, the log goes on."""
    told, count = in_a_process(_FULL, str(tmp_path / "log.db"))
    assert "log.db" in told and "disk" in told
    assert int(count) > 5


_NO_DESCRIPTORS = """
import asyncio, os, resource, sys
from resumable_chat.errors import LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord

async def main():
    log = SqliteLog(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for call in (log.append("s", [NewRecord(b"a")]), log.tail("s"), anext(log.follow("s", 0))):
        try:
            await call
        except LogUnavailable as error:
            print(error)
    for descriptor in taken:
        os.close(descriptor)
    following = [asyncio.ensure_future(anext(log.follow(f"s{index}", 0))) for index in range(60)]
    await asyncio.sleep(0)
    for index in range(60):
        await log.append(f"s{index}", [NewRecord(b"a")])
    print(len(await asyncio.gather(*following)))
    await log.close()

asyncio.run(main())
"""


def test_a_process_without_file_descriptors_says_so_in_one_line(tmp_path: Path) -> None:
    """Each call fails with one line; sixty followers then need no more descriptors than one."""
    *told, followed = in_a_process(_NO_DESCRIPTORS, str(tmp_path / "log.db"))
    assert len(told) == 3 and all("log.db" in line for line in told)
    assert followed == "60"


_READ_ONLY = """
import asyncio, os, sys
from resumable_chat.errors import LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord

async def main():
    log = SqliteLog(sys.argv[1])
    await log.append("s", [NewRecord(b"a")])
    await log.close()
    os.chmod(sys.argv[1], 0o444)
    os.chmod(os.path.dirname(sys.argv[1]), 0o555)
    if os.getuid() == 0:
        os.setuid(65534)
    log = SqliteLog(sys.argv[1])
    for call in (log.append("s", [NewRecord(b"b")]), log.append("t", [NewRecord(b"b")])):
        try:
            await call
        except LogUnavailable as error:
            print(error)
    await log.close()

asyncio.run(main())
"""


def test_a_file_that_is_read_only_is_named() -> None:
    """The error says to make the file and its folder writable."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        told = in_a_process(_READ_ONLY, f"{folder}/log.db")
        Path(folder).chmod(0o755)
    assert len(told) == 2 and all("log.db" in line and "writable" in line for line in told)
