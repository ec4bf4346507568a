"""The log port: what the rest of the library asks of a durable log.

The semantics are those of an S2 stream (https://s2.dev/docs): a stream is an append-only sequence of
records, numbered from 0 without gaps. A batch is appended whole or not at all. A stream has one fencing
token, ``""`` at first, changed by a ``fence`` command record; the new token holds for the *next* batch.
Conditions are checked before anything is written: the fencing token first, then the sequence number.
A ``trim`` command record makes every record before its sequence number unreadable.
Streams come into being when first named.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..protocol.records import NewRecord, Record


class Tail(NamedTuple):
    """The end of a stream: the next sequence number, and the last record's time in ms since 1970 (0: none)."""

    seq_num: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a batch landed: records ``start`` up to, not including, ``end``, at ``timestamp`` (ms since 1970)."""

    start: int
    end: int
    timestamp: int


class AppendSession(Protocol):
    """Pipelined appends to one stream: batches land in the order in which they were submitted."""

    async def submit(
        self,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Awaitable[Appended]:
        """Hand over a batch; await the result for the acknowledgement.

        Returns as soon as the batch is on its way; waits when too much is unacknowledged (back-pressure).
        The acknowledgement raises what ``Log.append`` raises. After the first failure every later batch of
        the session fails too or is refused by its own conditions: open a new session to go on.
        """
        ...


class Log(Protocol):
    """A durable log of many streams. Safe to share between tasks of one event loop."""

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        """Append a batch, durable when this returns.

        Raises FencingTokenMismatch, SeqNumMismatch, RecordTooLarge, LogUnavailable, AppendOutcomeUnknown.
        """
        ...

    def append_session(self, stream: str) -> AbstractAsyncContextManager[AppendSession]:
        """Open a session for pipelined appends. Leaving it waits for what was submitted."""
        ...

    def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        """Batches of the records from ``start`` to the tail as of the call (or to ``end``, exclusive), then ends.

        A start before the first readable record begins there; a start at or past the tail yields nothing.
        Raises LogUnavailable. Whoever leaves early closes it (``aclose``).
        """
        ...

    def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        """Like ``read``, but goes on for ever with what is appended by any process.

        A start past the tail begins with the record that gets that number. Raises LogUnavailable; the caller
        may go on from the record after the last one it got. Close the iterator (``aclose``) when done.
        """
        ...

    async def tail(self, stream: str) -> Tail:
        """The end of the stream. Raises LogUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of connections, files and threads. Calls after this raise LogUnavailable."""
        ...
