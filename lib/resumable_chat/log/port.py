"""The log port: what the rest of the library asks of a durable log.

The semantics are those of an S2 stream (https://s2.dev/docs). A stream is an append-only sequence of records, numbered
from 0 without gaps. A batch is appended whole or not at all.
A stream has one fencing token, at first ``""``. A ``fence`` command record changes it for the batches after its own.
Conditions are checked before anything is written: the fencing token first, then the sequence number.
A ``trim`` command record makes every record before its sequence number unreadable.
A stream comes into being when it is first named. Its name is 1 to 512 bytes of UTF-8 without NUL, and not ``.`` or
``..``.

Every engine raises these errors and no others, all of them kinds of LogError:

* LogRequestRefused: the call can never work, for example under such a name or with a header that makes no command.
* RecordTooLarge: the batch is over the limits of ``protocol.limits``. It is checked first, before anything is sent.
* FencingTokenMismatch, SeqNumMismatch: a condition does not hold. Nothing was written.
* LogUnavailable: the log cannot be used now; the message says why, and what to do. Nothing was written.
* AppendOutcomeUnknown, a kind of LogUnavailable: the append may have landed.
* LogError itself: the log cannot be used with these settings, for example without its encryption key.

Every call ends by a deadline of its engine, with LogUnavailable or AppendOutcomeUnknown, whatever the log does. Only
``follow`` goes on for ever.
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
        """Hand over a batch, and return an awaitable of its acknowledgement.

        Returns as soon as the batch is on its way. Waits while too much is unacknowledged, at most until the deadline.
        The acknowledgement raises what ``Log.append`` raises, and so does submitting once the session has failed.
        After the first failure no later batch of the session lands: open a new session to go on.
        A batch that is refused before it is sent, with RecordTooLarge or LogRequestRefused, leaves the session usable.
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
        """Append a batch, which is durable when this returns.

        Raises RecordTooLarge, LogRequestRefused, FencingTokenMismatch, SeqNumMismatch, LogUnavailable and
        AppendOutcomeUnknown.
        """
        ...

    def append_session(self, stream: str) -> AbstractAsyncContextManager[AppendSession]:
        """Open a session for pipelined appends. Leaving it waits for what was submitted, at most until the deadline.

        Raises LogRequestRefused and LogUnavailable when it is entered.
        """
        ...

    def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        """Yield batches of the records from ``start`` to the tail as of the call, or to ``end`` (exclusive).

        A start before the first readable record begins there. A start at or past the tail yields nothing.
        Raises LogRequestRefused and LogUnavailable. Close the iterator (``aclose``) to leave early.
        """
        ...

    def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        """Yield like ``read``, and go on for ever with what any process appends.

        A start past the tail begins with the record that gets that number. No record is yielded twice or out of
        order, even if the log comes back from an outage with fewer records.
        Raises LogRequestRefused and LogUnavailable. After LogUnavailable the caller may follow again from the record
        after the last one it got. Close the iterator (``aclose``) to end.
        """
        ...

    async def tail(self, stream: str) -> Tail:
        """Return the end of the stream. Raises LogRequestRefused and LogUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of connections, files and threads, at most until the deadline.

        Appends under way land or fail. Calls after this raise LogUnavailable.
        """
        ...
