"""The threads that read: few of them, each answer by a deadline, and no error but the port's."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from resumable_chat.errors import LogUnavailable
from resumable_chat.log.sqlite.file import LogFile
from resumable_chat.log.sqlite.readers import Readers

from ...virtual import run


def readers_of(folder: Path) -> Readers:
    return Readers(LogFile(folder / "log.db", busy_timeout=5, max_bytes=None), patience=20)


async def test_two_read_at_once(tmp_path: Path) -> None:
    """However many ask, two threads read, and all get their answer."""
    readers, lock, now, most = readers_of(tmp_path), threading.Lock(), 0, 0

    def work(connection: sqlite3.Connection) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return threading.get_ident()

    idents = await asyncio.gather(*(readers.run(work) for _ in range(60)))
    assert most == 2 and len(set(idents)) == 2
    assert await readers.close(20)


def test_a_read_that_hangs_is_answered_at_the_deadline(tmp_path: Path) -> None:
    """The caller is told, and the reads behind it go to the other thread."""
    release = threading.Event()

    async def main() -> None:
        readers = readers_of(tmp_path)
        with pytest.raises(LogUnavailable, match="20 s"):
            await readers.run(lambda _: release.wait())
        release.set()
        assert await readers.close(20)

    run(main())


async def test_a_caller_that_leaves_takes_nothing_with_it(tmp_path: Path) -> None:
    """A read that nobody waits for any more is not begun, and the next ones are answered."""
    readers = readers_of(tmp_path)
    begun: list[sqlite3.Connection] = []
    release = threading.Event()
    busy = [asyncio.create_task(readers.run(lambda _: release.wait())) for _ in range(2)]
    await asyncio.sleep(0.05)
    left = asyncio.create_task(readers.run(begun.append))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    release.set()
    await asyncio.gather(*busy)
    assert await readers.run(lambda _: 5) == 5
    assert not begun
    assert await readers.close(20)


@pytest.mark.parametrize("error", [ValueError, RecursionError, sqlite3.DatabaseError, MemoryError, OverflowError])
async def test_whatever_a_read_raises_is_told_as_unavailable(
    tmp_path: Path, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """The text names the file, what nobody expected is logged, and the next read works."""
    readers = readers_of(tmp_path)

    def work(connection: sqlite3.Connection) -> None:
        raise error("odd")

    with pytest.raises(LogUnavailable, match=r"log\.db"):
        await readers.run(work)
    assert bool(caplog.records) == (error is not sqlite3.DatabaseError)
    assert await readers.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    assert await readers.close(20)


async def test_closed_readers_say_so(tmp_path: Path) -> None:
    """What was asked for before is answered, what comes later is refused."""
    readers = readers_of(tmp_path)
    before = asyncio.create_task(readers.run(lambda _: 5))
    await asyncio.sleep(0)
    closing = asyncio.create_task(readers.close(20))
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailable, match="closed"):
        await readers.run(lambda _: 6)
    assert await before == 5 and await closing
