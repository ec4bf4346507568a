"""The threads of a process that read the log file, each over a connection of its own."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ...errors import LogUnavailable
from .advice import unavailable
from .file import LogFile, ThreadConnection
from .threads import ended, start_thread

logger = logging.getLogger(__name__)

MAX_READERS: Final = 2
"""Threads that read at once."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Readers:
    """Runs reads of the file off the event loop, and answers each within ``patience`` seconds."""

    def __init__(self, file: LogFile, *, patience: float) -> None:
        self._file = file
        self._patience = patience
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` makes of a connection. Raises LogUnavailable."""
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future())
        with self._changed:
            if self._closed:
                raise LogUnavailable("The log was closed.")
            self._ensure_thread()
            self._jobs.append(job)
            self._changed.notify()
        try:
            async with asyncio.timeout(self._patience):
                result: T = await job.future
        except TimeoutError as error:
            raise LogUnavailable(
                f"The log file {self._file.path} could not be read within {self._patience:g} s. Check the disk."
            ) from error
        return result

    async def close(self, seconds: float) -> bool:
        """Finish what was asked for, and end; return False if that takes longer than so many seconds."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        return await ended(self._threads, seconds)

    def _ensure_thread(self) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if self._idle > len(self._jobs) or len(self._threads) >= MAX_READERS:
            return
        try:
            self._threads.append(start_thread(self._run, "sqlite-read"))
        except LogUnavailable:
            if not self._threads:
                raise

    # --- In a thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        own = ThreadConnection(self._file)
        while (job := self._take()) is not None:
            result, failure = None, None
            try:
                with own.use() as connection:
                    result = job.work(connection)
            except Exception as error:
                if not isinstance(error, (LogUnavailable, sqlite3.Error)):
                    logger.exception("a read of the log file %s failed", self._file.path)
                failure = unavailable(self._file.path, error)
            with suppress(RuntimeError):  # The loop was closed: nobody waits any more.
                job.loop.call_soon_threadsafe(_settle, job.future, result, failure)
        own.close()

    def _take(self) -> _Job | None:
        """Wait for a job that somebody still waits for; return None once closed and done."""
        with self._changed:
            while True:
                while self._jobs:
                    job = self._jobs.popleft()
                    if not job.future.done():
                        return job
                if self._closed:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1


def _settle(future: asyncio.Future[Any], result: Any, failure: LogUnavailable | None) -> None:
    if future.done():
        return
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
