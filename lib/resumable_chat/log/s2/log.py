"""The log port on S2, through its SDK: the log in production, and S2 Lite locally.

The basin must create streams on append and on read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

import s2_sdk
from s2_sdk import ReadLimit, SeqNum

from ...errors import LogUnavailable
from ...protocol.records import NewRecord, Record
from ..checks import check_append, check_stream, checked_range
from ..port import Appended, AppendSession, Tail
from .clients import Clients
from .session import S2Session, append_input, appended
from .waiting import finished

_CLOSE_SECONDS: Final = 0.2
_SHORTEST_SESSION: Final = 1.0
"""A follower whose read session S2 ended sooner, in seconds, fails; after a longer one it opens the next."""


class S2Log:
    """The log in one S2 basin.

    ``endpoints`` is the pair of account and basin endpoint (None: the S2 cloud), ``encryption_key`` the base64 key of
    streams that the basin's ``stream_cipher`` has S2 encrypt, ``timeout`` the seconds that one request may take,
    ``max_open`` the number of calls and sessions that may be open at once. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        access_token: str,
        basin: str,
        endpoints: tuple[str, str] | None = None,
        encryption_key: str | None = None,
        timeout: float = 5.0,
        max_open: int = 4096,
    ) -> None:
        self._clients = Clients(access_token, basin, endpoints, encryption_key, timeout=timeout, max_open=max_open)

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        check_append(stream, records, fencing_token, match_seq_num)
        batch = append_input(records, fencing_token, match_seq_num)
        with self._clients.lend() as client, self._clients.translated(client, appending=True):
            return appended(await finished(client.stream(stream).append(batch), self._clients.deadline))

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
        check_stream(stream)
        with self._clients.lend() as client:
            with self._clients.translated(client, appending=True):
                session = S2Session(self._clients, client, stream, client.stream(stream).append_session())
            try:
                yield session
            finally:
                await session.close()

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        start, last = checked_range(start, end)
        if last <= start:
            return
        limit = None if end is None else ReadLimit(count=last - start)
        async with aclosing(self._records(stream, start, limit=limit, wait=0)) as batches:
            async for records in batches:
                if records[-1].seq_num < last:
                    yield records
                    continue
                if within := [record for record in records if record.seq_num < last]:
                    yield within
                return

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        start, _ = checked_range(start, None)
        loop = asyncio.get_running_loop()
        while True:
            opened = loop.time()
            async with aclosing(self._records(stream, start, limit=None, wait=None)) as batches:
                async for records in batches:
                    start = records[-1].seq_num + 1
                    yield records
            if loop.time() - opened < _SHORTEST_SESSION:
                raise LogUnavailable("S2 ended a read session that was to go on. Try again.")

    async def tail(self, stream: str) -> Tail:
        check_stream(stream)
        with self._clients.lend() as client, self._clients.translated(client):
            position = await finished(client.stream(stream).check_tail(), self._clients.deadline)
        return Tail(position.seq_num, position.timestamp)

    async def close(self) -> None:
        await self._clients.close()

    async def _records(
        self, stream: str, start: int, *, limit: ReadLimit | None, wait: int | None
    ) -> AsyncGenerator[list[Record]]:
        """Yield what one read session of the SDK brings, without the records before ``start``.

        The SDK begins at the tail if ``start`` lies past it, and resumes there when S2 comes back with less.
        """
        check_stream(stream)
        # Without an end, the SDK listens for the server's heartbeats.
        patience = None if wait is None else self._clients.deadline
        with self._clients.lend() as client:
            with self._clients.translated(client):
                session = client.stream(stream).read_session(
                    start=SeqNum(start), limit=limit, clamp_to_tail=True, wait=wait
                )
            try:
                while True:
                    with self._clients.translated(client):
                        try:
                            batch = await finished(session.__anext__(), patience)
                        except StopAsyncIteration:
                            return
                    client.heard()
                    records = [
                        Record(item.seq_num, item.timestamp, item.body, tuple(item.headers) if item.headers else ())
                        for item in batch.records
                        if item.seq_num >= start
                    ]
                    if records:
                        start = records[-1].seq_num + 1
                        yield records
            finally:
                with suppress(s2_sdk.S2Error, TimeoutError):
                    await finished(session.close(), _CLOSE_SECONDS)
