"""Pipelined appends to one stream of S2."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Sequence
from contextlib import suppress
from typing import Any

import s2_sdk
from s2_sdk import AppendInput

from ...errors import LogError
from ...protocol.records import NewRecord
from ..checks import check_append
from ..port import Appended
from .client import Client
from .clients import Clients
from .waiting import finished


class S2Session:
    """One append session of the SDK: see ``port.AppendSession``."""

    def __init__(self, clients: Clients, client: Client, stream: str, session: s2_sdk.AppendSession) -> None:
        self._clients = clients
        self._client = client
        self._stream = stream
        self._session = session
        self._failure: LogError | None = None

    async def submit(
        self, records: Sequence[NewRecord], *, fencing_token: str | None = None, match_seq_num: int | None = None
    ) -> Awaitable[Appended]:
        check_append(self._stream, records, fencing_token, match_seq_num)
        if self._failure is not None:
            raise self._failure
        batch = append_input(records, fencing_token, match_seq_num)
        try:
            with self._clients.translated(self._client, appending=True):
                async with asyncio.timeout(self._clients.deadline):
                    ticket = await self._session.submit(batch)
        except LogError as error:
            # This batch was not sent, so those behind it must not be either.
            self._failure = error
            raise
        self._client.asked()
        return _Acknowledgement(self._clients, self._client, ticket)

    async def close(self) -> None:
        """Wait for what was submitted, up to the deadline."""
        # Each batch's own ticket has told what became of it.
        with suppress(s2_sdk.S2Error, TimeoutError):
            await finished(self._session.close(), self._clients.deadline)


class _Acknowledgement:
    """The acknowledgement of one batch, to be awaited; nobody has to."""

    def __init__(self, clients: Clients, client: Client, ticket: s2_sdk.BatchSubmitTicket) -> None:
        self._clients = clients
        self._client = client
        self._ticket = ticket

    def __await__(self) -> Generator[Any, None, Appended]:
        return self._wait().__await__()

    async def _wait(self) -> Appended:
        with self._clients.translated(self._client, appending=True):
            async with asyncio.timeout(self._clients.deadline):
                ack = await self._ticket
        self._client.heard()
        return appended(ack)


def append_input(records: Sequence[NewRecord], fencing_token: str | None, match_seq_num: int | None) -> AppendInput:
    """Return a batch as the SDK takes it."""
    return AppendInput(
        [s2_sdk.Record(record.body, list(record.headers)) for record in records],
        match_seq_num=match_seq_num,
        fencing_token=fencing_token,
    )


def appended(ack: s2_sdk.AppendAck) -> Appended:
    """Return an acknowledgement as the port has it."""
    return Appended(ack.start.seq_num, ack.end.seq_num, ack.end.timestamp)
