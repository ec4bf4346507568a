"""Wakes those who follow a stream when records are appended to it, in this process or in another."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from .file import LogFile, ThreadConnection
from .table import ends_past
from .threads import ended, start_thread

_REST: Final = 10
"""The watch rests this many times the CPU time that a look took, so that it takes no more than a tenth of a core."""
_TROUBLE_SECONDS: Final = 0.5
"""Pause after the file could not be used."""


class Follower:
    """One task that follows a stream, and has read it up to ``next_seq``."""

    def __init__(self, stream: str, next_seq: int) -> None:
        self.stream = stream
        self.next_seq = next_seq
        self.woken = False
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def look(self) -> None:
        """Note that the stream is about to be read: only what is appended after this has to wake the follower."""
        self._event.clear()
        self.woken = False

    async def wait(self) -> None:
        """Return once there is something to read, or to hear about the file."""
        await self._event.wait()

    def wake(self) -> None:
        """Let ``wait`` return. Safe in any thread."""
        if self.woken:
            return  # It has not looked since, and will find this too when it does.
        self.woken = True
        with suppress(RuntimeError):  # Its loop was closed: nobody waits any more.
            self._loop.call_soon_threadsafe(self._event.set)


class Followers:
    """The followers of one process, and the thread that looks for other processes' appends while there are any.

    It looks every ``poll_interval`` seconds.
    """

    def __init__(self, file: LogFile, *, poll_interval: float) -> None:
        self._file = file
        self._poll_interval = poll_interval
        self._lock = threading.Lock()
        self._of: dict[str, set[Follower]] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @contextmanager
    def following(self, stream: str, next_seq: int) -> Iterator[Follower]:
        """Wake a follower of the stream while the block runs. Raises LogUnavailable."""
        follower = Follower(stream, next_seq)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = start_thread(self._watch, "sqlite-watch")
            self._of.setdefault(stream, set()).add(follower)
        try:
            yield follower
        finally:
            with self._lock:
                self._of[stream].discard(follower)
                if not self._of[stream]:
                    del self._of[stream]

    def appended(self, ends: Mapping[str, int]) -> None:
        """Wake the followers of these streams, which end at these sequence numbers now."""
        with self._lock:
            behind = [
                follower
                for stream, end in ends.items()
                for follower in self._of.get(stream, ())
                if follower.next_seq < end
            ]
        for follower in behind:
            follower.wake()

    async def close(self, seconds: float) -> bool:
        """Wake all followers and end; return False if that takes longer than so many seconds."""
        with self._lock:
            self._closed.set()
            thread = self._thread
        self._wake_all()
        return thread is None or await ended([thread], seconds)

    # --- In the thread --------------------------------------------------------------------------------------

    def _watch(self) -> None:
        own = ThreadConnection(self._file)
        version: int | None = None
        while not self._done():
            began = time.thread_time()
            try:
                with own.use() as connection:
                    now: int = connection.execute("PRAGMA data_version").fetchone()[0]
                    if now != version:
                        self._look(connection)
                        version = now
                pause = max(self._poll_interval, _REST * (time.thread_time() - began))
            except Exception:  # noqa: BLE001 - the followers' own reads say what is wrong
                self._wake_all()
                version = None
                pause = max(self._poll_interval, _TROUBLE_SECONDS)
            self._closed.wait(pause)
        own.close()

    def _done(self) -> bool:
        """Whether nobody follows; the next follower then starts another thread."""
        with self._lock:
            if self._of and not self._closed.is_set():
                return False
            self._thread = None
            return True

    def _look(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            positions = {
                stream: min(follower.next_seq for follower in followers)
                for stream, followers in self._of.items()
                if not all(follower.woken for follower in followers)
            }
        self.appended(ends_past(connection, positions))

    def _wake_all(self) -> None:
        with self._lock:
            followers = [follower for known in self._of.values() for follower in known]
        for follower in followers:
            follower.wake()
