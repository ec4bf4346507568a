"""Pipelined appends to one stream of a log file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from ...protocol.records import NewRecord
from ..checks import check_append
from ..port import Appended
from .queue import Lane
from .writer import Writer


class SqliteSession:
    """One append session: see ``port.AppendSession``."""

    def __init__(self, writer: Writer, stream: str) -> None:
        self._writer = writer
        self._stream = stream
        self._lane = Lane()
        self._open: set[asyncio.Future[Appended]] = set()

    async def submit(
        self, records: Sequence[NewRecord], *, fencing_token: str | None = None, match_seq_num: int | None = None
    ) -> Awaitable[Appended]:
        check_append(self._stream, records, fencing_token, match_seq_num)
        future = await self._writer.submit(self._lane, self._stream, records, fencing_token, match_seq_num)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    async def drain(self) -> None:
        """Wait until every batch has its result."""
        while self._open:
            await asyncio.wait(set(self._open))
