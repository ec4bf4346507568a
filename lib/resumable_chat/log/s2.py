"""The log port on S2 (https://s2.dev), through its official SDK: the log in production, and S2 Lite locally.

The basin must create streams on append and on read. Appends are never repeated by the SDK when they may have landed:
the caller settles those under the same sequence number.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import s2_sdk
from s2_sdk import S2, AppendInput, AppendRetryPolicy, Endpoints, ReadLimit, Retry, S2Stream, SeqNum, Timeout

from ..errors import (
    AppendOutcomeUnknown,
    ConfigurationError,
    FencingTokenMismatch,
    LogError,
    LogUnavailable,
    SeqNumMismatch,
)
from ..protocol.limits import check_limits
from ..protocol.records import NewRecord, Record
from .port import Appended, AppendSession, Tail

T = TypeVar("T")

logger = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 20.0
"""A client that rested longer is replaced: a frozen function's connections are dead without knowing it."""

_TCP_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)

_CLOSING: Final = 0.2
_CANCELLATIONS: Final = 20

_DEADLINE_FACTOR: Final = 4
"""A call with all its retries ends within this many request time-outs."""


@dataclass(slots=True, eq=False)
class _Connections:
    """A client of the SDK with its connections.

    ``used`` is when S2 was last asked or last heard, in seconds since 1970, ``sessions`` how many are open.
    """

    client: S2
    loop: asyncio.AbstractEventLoop
    used: float
    sessions: int = 0


class S2Log:
    """The log in one S2 basin.

    ``endpoints`` is the pair of account and basin endpoint (None: the S2 cloud), ``encryption_key`` the base64 key of
    streams that the basin's ``stream_cipher`` has S2 encrypt, ``timeout`` the seconds that one request may take.
    Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        access_token: str,
        basin: str,
        endpoints: tuple[str, str] | None = None,
        encryption_key: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._token = access_token
        self._basin = basin
        self._encryption_key = encryption_key
        self._timeout = timeout
        self._current: _Connections | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False
        try:
            self._endpoints = Endpoints(*endpoints) if endpoints else Endpoints.default()
            self._plain = self._endpoints._basin_url(basin).startswith("http://") and _TCP_QUICKACK is not None
            S2(access_token, endpoints=self._endpoints).basin(basin).stream("check", encryption_key=encryption_key)
        except s2_sdk.S2Error as error:
            raise ConfigurationError(f"The S2 settings cannot be used: {error}.") from error

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        check_limits(records)
        connections = self._connections()
        with self._translated(connections, appending=True):
            async with asyncio.timeout(self._timeout * _DEADLINE_FACTOR):
                ack = await self._stream(connections, stream).append(_input(records, fencing_token, match_seq_num))
        return _appended(ack)

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
        connections = self._connections()
        with self._translated(connections, appending=True):
            session = _S2Session(self, connections, self._stream(connections, stream).append_session())
        connections.sessions += 1
        try:
            yield session
        finally:
            connections.sessions -= 1
            await session.close()

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        if end is not None and end <= start:
            return
        limit = None if end is None else ReadLimit(count=end - start)
        async with aclosing(self._read(stream, start, limit=limit, wait=0)) as batches:
            async for records in batches:
                if end is None or records[-1].seq_num < end:
                    yield records
                    continue
                if within := [record for record in records if record.seq_num < end]:
                    yield within
                return

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        async with aclosing(self._read(stream, start, limit=None, wait=None)) as batches:
            async for records in batches:
                yield records

    async def tail(self, stream: str) -> Tail:
        connections = self._connections()
        with self._translated(connections):
            async with asyncio.timeout(self._timeout * _DEADLINE_FACTOR):
                position = await self._stream(connections, stream).check_tail()
        return Tail(position.seq_num, position.timestamp)

    async def close(self) -> None:
        self._closed = True
        current, self._current = self._current, None
        if current is not None and current.loop is asyncio.get_running_loop():
            await _close(current.client)
        if self._retiring:
            await asyncio.wait(self._retiring)

    async def _read(
        self, stream: str, start: int, *, limit: ReadLimit | None, wait: int | None
    ) -> AsyncGenerator[list[Record]]:
        connections = self._connections()
        with self._translated(connections):
            session = self._stream(connections, stream).read_session(
                start=SeqNum(start), limit=limit, clamp_to_tail=True, wait=wait
            )
        connections.sessions += 1
        # Without an end, the SDK listens for the server's heartbeats.
        patience = None if wait is None else self._timeout * _DEADLINE_FACTOR
        try:
            while True:
                with self._translated(connections):
                    try:
                        batch = await _finished(session.__anext__(), patience)
                    except StopAsyncIteration:
                        return
                connections.used = time.time()
                self._acknowledge_at_once(connections)
                records = [
                    Record(item.seq_num, item.timestamp, item.body, tuple(item.headers) if item.headers else ())
                    for item in batch.records
                    if item.seq_num >= start
                ]
                if records:
                    yield records
        finally:
            connections.sessions -= 1
            with suppress(s2_sdk.S2Error, TimeoutError):
                await _finished(session.close(), _CLOSING)

    def _connections(self) -> _Connections:
        """Connections of this event loop that can be trusted."""
        if self._closed:
            raise LogUnavailable("The log was closed.")
        loop = asyncio.get_running_loop()
        now = time.time()
        current = self._current
        if current is not None and current.loop is loop and not current.sessions and now - current.used > _IDLE_SECONDS:
            self._retire(current)
        if self._current is None or self._current.loop is not loop:
            client = S2(
                self._token,
                endpoints=self._endpoints,
                timeout=Timeout(
                    request=timedelta(seconds=self._timeout), connection=timedelta(seconds=min(3.0, self._timeout))
                ),
                retry=Retry(
                    max_attempts=3,
                    min_base_delay=timedelta(milliseconds=50),
                    append_retry_policy=AppendRetryPolicy.NO_SIDE_EFFECTS,
                ),
            )
            self._current = _Connections(client, loop, now)
        self._current.used = now
        return self._current

    def _retire(self, connections: _Connections) -> None:
        """Use other connections from now on, and close these: whoever still waits for them hears of it at once."""
        if self._current is connections:
            self._current = None
            task = connections.loop.create_task(_close(connections.client))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def _stream(self, connections: _Connections, name: str) -> S2Stream:
        self._expect_answer(connections)
        found: S2Stream = connections.client.basin(self._basin).stream(name, encryption_key=self._encryption_key)
        return found

    def _expect_answer(self, connections: _Connections) -> None:
        """Renew the setting once the request is out, for sending it resets it."""
        if self._plain:
            asyncio.get_running_loop().call_later(0.001, self._acknowledge_at_once, connections)

    def _acknowledge_at_once(self, connections: _Connections) -> None:
        """Have the kernel acknowledge what it receives at once, on unencrypted connections.

        S2 Lite leaves Nagle's algorithm on: each small write of the server would wait up to 40 ms for the delayed
        acknowledgement of the one before. Linux forgets this setting after some packets, so it is renewed.
        """
        if not self._plain:
            return
        for pool in connections.client._pool._hosts.values():
            for pooled in pool:
                writer = getattr(getattr(pooled, "_conn", None), "_writer", None)
                sock = writer.get_extra_info("socket") if writer is not None else None
                if sock is not None:
                    with suppress(OSError):
                        sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)

    @contextmanager
    def _translated(self, connections: _Connections, *, appending: bool = False) -> Generator[None]:
        try:
            yield
        except s2_sdk.S2Error as error:
            # A connection that died without a word stays in the SDK's pool, where each call would wait for it in vain.
            if _caused_by(error, "ReadTimeoutError"):
                self._retire(connections)
            raise self._translate(error, appending) from error
        except TimeoutError as error:
            self._retire(connections)
            unknown = AppendOutcomeUnknown if appending else LogUnavailable
            raise unknown(f"S2 did not answer within {self._timeout * _DEADLINE_FACTOR:g} s.") from error

    def _translate(self, error: s2_sdk.S2Error, appending: bool) -> LogError:
        """The port's error for an error of the SDK; what an operator can set is named."""
        if isinstance(error, s2_sdk.FencingTokenMismatchError):
            return FencingTokenMismatch(error.expected_fencing_token)
        if isinstance(error, s2_sdk.SeqNumMismatchError):
            return SeqNumMismatch(error.expected_seq_num)
        if isinstance(error, s2_sdk.S2ServerError):
            return self._refusal(error, appending)
        unknown = appending and not _caused_by(error, "ConnectError")
        return (AppendOutcomeUnknown if unknown else LogUnavailable)(
            f"S2 cannot be reached at {self._endpoints._basin_url(self._basin)}: {error}. "
            "Check the network, S2_ACCOUNT_ENDPOINT and S2_BASIN_ENDPOINT."
        )

    def _refusal(self, error: s2_sdk.S2ServerError, appending: bool) -> LogError:
        status, said = error.status_code, f"{error.status_code} {error.code}: {error.message}"
        if status in (401, 403):
            return LogUnavailable(
                f"S2 refused the access token ({said}). Set S2_ACCESS_TOKEN to one that may read and append "
                f"in the basin {self._basin!r}."
            )
        if status == 404 and "stream" in error.code:
            return LogUnavailable(
                f"The stream does not exist ({said}). Set create_stream_on_append and create_stream_on_read of the "
                f"basin {self._basin!r}."
            )
        if status == 404:
            return LogUnavailable(
                f"S2 does not know the basin {self._basin!r} ({said}). Set S2_BASIN to one that exists, "
                "and check S2_BASIN_ENDPOINT."
            )
        if status == 429:
            return LogUnavailable(f"S2 asks for patience ({said}). Send less at once, or raise the account's limits.")
        if status in (408, 409) or status >= 500:
            text = f"S2 failed ({said}). Try again."
            return AppendOutcomeUnknown(text) if appending else LogUnavailable(text)
        if error.code == "decryption_failed":
            return LogError(
                f"S2 cannot decrypt the stream ({said}). Set S2_ENCRYPTION_KEY to the key that it was written with."
            )
        if "encryption key" in error.message:
            return LogError(
                f"The streams of the basin {self._basin!r} are encrypted ({said}). "
                "Set S2_ENCRYPTION_KEY to their key, 32 bytes in base64."
            )
        return LogError(f"S2 refused the request ({said}).")


class _S2Session:
    """One append session of the SDK."""

    def __init__(self, log: S2Log, connections: _Connections, session: s2_sdk.AppendSession) -> None:
        self._log = log
        self._connections = connections
        self._session = session

    async def submit(
        self, records: Sequence[NewRecord], *, fencing_token: str | None = None, match_seq_num: int | None = None
    ) -> Awaitable[Appended]:
        check_limits(records)
        with self._log._translated(self._connections, appending=True):
            ticket = await self._session.submit(_input(records, fencing_token, match_seq_num))
        self._log._expect_answer(self._connections)
        return self._acknowledged(ticket)

    async def _acknowledged(self, ticket: s2_sdk.BatchSubmitTicket) -> Appended:
        with self._log._translated(self._connections, appending=True):
            ack = await ticket
        self._connections.used = time.time()
        return _appended(ack)

    async def close(self) -> None:
        # Each batch's own ticket has told what became of it.
        with suppress(s2_sdk.S2Error, TimeoutError):
            async with asyncio.timeout(self._log._timeout * _DEADLINE_FACTOR):
                await self._session.close()


def _input(records: Sequence[NewRecord], fencing_token: str | None, match_seq_num: int | None) -> AppendInput:
    return AppendInput(
        [s2_sdk.Record(record.body, list(record.headers)) for record in records],
        match_seq_num=match_seq_num,
        fencing_token=fencing_token,
    )


def _appended(ack: s2_sdk.AppendAck) -> Appended:
    return Appended(ack.start.seq_num, ack.end.seq_num, ack.end.timestamp)


def _caused_by(error: BaseException, name: str) -> bool:
    """Whether an error of this class, which the SDK does not export, stands behind another."""
    cause: Any = error
    while cause is not None:
        if type(cause).__name__ == name:
            return True
        cause = cause.__cause__
    return False


async def _finished(work: Coroutine[Any, Any, T], seconds: float | None) -> T:
    """The result of the SDK's work; TimeoutError after so many seconds.

    The SDK waits with ``asyncio.wait_for``, which in Python 3.11 swallows a cancellation when what it waited for came
    at the same moment. So it is called off again until it is over.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        for _ in range(_CANCELLATIONS):
            if task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=0.05)
        if task.done() and not task.cancelled():
            task.exception()


async def _close(client: S2) -> None:
    try:
        async with asyncio.timeout(5):
            await client.close()
    except Exception as error:  # noqa: BLE001 - its connections are dead or dying, whatever it says
        logger.debug("closing an S2 client failed: %r", error)
