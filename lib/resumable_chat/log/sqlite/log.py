"""The log port on one SQLite file: the embedded log for laptops and tests, shared by any number of processes.

The file is in WAL mode with ``synchronous=FULL``: an append is on disk when it is acknowledged. Followers are woken
at once by appends of their own process, and within about ``poll_interval`` seconds by those of others.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from ...errors import ConfigurationError
from ...protocol.records import NewRecord, Record
from ..checks import check_append, check_stream, checked_range
from ..port import Appended, AppendSession, Tail
from .file import LogFile
from .followers import Followers
from .queue import Lane
from .readers import Readers
from .session import SqliteSession
from .table import read_page, read_tail
from .writer import Writer

logger = logging.getLogger(__name__)

_SLOW_DISK: Final = 5.0
"""Seconds that one call may take on top of its waits for locks: one to connect, one to write, one for those before."""
_LOCKS: Final = 3


class SqliteLog:
    """The log in one SQLite file, which is made when it is first used.

    ``busy_timeout`` is how long, in seconds, a lock held by another process is waited for; ``max_bytes`` bounds
    the file (None: only the disk does); ``poll_interval`` is how often, in seconds, the log looks for appends of other
    processes while somebody follows. Raises ConfigurationError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout: float = 5.0,
        max_bytes: int | None = None,
        poll_interval: float = 0.01,
    ) -> None:
        self.path = Path(path)
        if "\0" in os.fspath(path) or self.path.name in ("", ":memory:"):
            raise ConfigurationError(f"{os.fspath(path)!r} names no file. Name one, for example chat.db.")
        self._patience = _LOCKS * busy_timeout + _SLOW_DISK
        # An absolute path stays the same when the process changes its working directory.
        file = LogFile(self.path.absolute(), busy_timeout=busy_timeout, max_bytes=max_bytes)
        self._readers = Readers(file, patience=self._patience)
        self._followers = Followers(file, poll_interval=poll_interval)
        self._writer = Writer(file, self._followers.appended, patience=self._patience)

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        check_append(stream, records, fencing_token, match_seq_num)
        return await (await self._writer.submit(Lane(), stream, records, fencing_token, match_seq_num))

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
        check_stream(stream)
        session = SqliteSession(self._writer, stream)
        try:
            yield session
        finally:
            await session.drain()

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        start, end = checked_range(start, end)
        end = min(end, (await self.tail(stream)).seq_num)
        while start < end:
            page = await self._readers.run(partial(read_page, stream=stream, start=start, end=end))
            if not page:
                return
            yield page
            start = page[-1].seq_num + 1

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        check_stream(stream)
        start, end = checked_range(start, None)
        with self._followers.following(stream, start) as follower:
            while True:
                follower.look()
                page = await self._readers.run(partial(read_page, stream=stream, start=follower.next_seq, end=end))
                if page:
                    follower.next_seq = page[-1].seq_num + 1
                    yield page
                else:
                    await follower.wait()

    async def tail(self, stream: str) -> Tail:
        check_stream(stream)
        return await self._readers.run(partial(read_tail, stream=stream))

    async def close(self) -> None:
        parts = (self._writer, self._readers, self._followers)
        if not all(await asyncio.gather(*(part.close(self._patience) for part in parts))):
            logger.warning("the threads of the log file %s still run after %g s", self.path, self._patience)
