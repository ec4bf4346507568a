"""Threads that cannot be started, and threads that do not end."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from resumable_chat.errors import LogUnavailable
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.log.sqlite.threads import ended
from resumable_chat.protocol.records import NewRecord


class NoThreads:
    """Lets threads with one name fail to start while ``failing`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.failing = True
        start = threading.Thread.start

        def fail_or_start(thread: threading.Thread) -> None:
            if self.failing and thread.name.startswith(name):
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", fail_or_start)


@pytest.mark.parametrize("name", ["sqlite-write", "sqlite-read", "sqlite-watch"])
async def test_a_thread_that_does_not_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The calls that need it fail at once and say so; the next ones, in the same session too, try again."""
    log, threads = SqliteLog(tmp_path / "log.db"), NoThreads(monkeypatch, name)
    calls: dict[str, list[Any]] = {
        "sqlite-write": [lambda: log.append("s", [NewRecord(b"a")]) for _ in range(3)],
        "sqlite-read": [lambda: log.tail("s"), lambda: anext(log.read("s", 0)), lambda: anext(log.follow("s", 0))],
        "sqlite-watch": [lambda: anext(log.follow("s", 0))],
    }
    for call in calls[name]:
        async with asyncio.timeout(20):
            with pytest.raises(LogUnavailable, match="thread"):
                await call()
    threads.failing = False
    async with asyncio.timeout(20), aclosing(log.follow("s", 0)) as batches:
        assert (await log.append("s", [NewRecord(b"b")])).start == 0
        assert [record.body for record in await anext(batches)] == [b"b"]
        waiting = asyncio.ensure_future(anext(batches))
        await log.append("s", [NewRecord(b"c")])
        assert [record.body for record in await waiting] == [b"c"]
    await log.close()


async def test_appends_that_no_thread_took_take_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many failed for want of a thread, the next ones do not have to wait for them."""
    log, threads = SqliteLog(tmp_path / "log.db"), NoThreads(monkeypatch, "sqlite-write")
    for _ in range(1500):
        with pytest.raises(LogUnavailable):
            await log.append("s", [NewRecord(b"a")])
    threads.failing = False
    assert (await log.append("s", [NewRecord(b"b")])).start == 0
    await log.close()


async def test_a_thread_that_does_not_end_is_given_up() -> None:
    """The wait for it ends at its deadline."""
    release = threading.Event()
    thread = threading.Thread(target=release.wait, daemon=True)
    thread.start()
    assert not await ended([thread], 0.01)
    release.set()
    assert await ended([thread], 20)
