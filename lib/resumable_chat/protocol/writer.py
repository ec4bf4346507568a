"""The one writer of a generation, as a value: told what happened, asked what to do. It does no I/O.

What a source yields is taken up by ``push``, which also enters it into the books, so that no cancellation comes in
between. ``take`` then says what to do next: append a batch, read what stands in the way of one, or wait. Each batch
is appended on condition of its token and its sequence number, so it lands at most once however often it is tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from .chunks import DELTAS, TERMINALS, Chunk, ChunkTooLarge, encode, encode_split
from .lifecycle import Lifecycle
from .limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_TOKEN_BYTES
from .merge import can_merge, merge_run
from .outcomes import Ending
from .records import HEARTBEAT, NewRecord, Record, fence, metered_bytes
from .source_events import Unusable

MAX_PENDING_CHUNKS: Final = 1000
MAX_PENDING_BYTES: Final = 1024 * 1024
"""At either, the writer is full, and the source has to wait."""

MAX_IN_FLIGHT: Final = 16
"""Batches that may be on their way at once."""

PIPELINE_FROM: Final = 0.015
"""Seconds. A generation begins with single appends, one at a time. Once an acknowledgement takes longer than this while
more is due, batches are pipelined: a session costs more to open than a fast log takes for a whole append."""

HEARTBEAT_AFTER: Final = 1.0
"""Seconds without an append after which a heartbeat is one. The shortest lease is three times as long."""

GIVE_UP_AFTER: Final = 60.0
"""Seconds without any acknowledgement, from the first failure on, after which the generation is given up."""

BACKOFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds before each further attempt at an append; the last one repeats."""

_FENCE_BYTES: Final = metered_bytes([fence("t" * MAX_TOKEN_BYTES)])


class State(Enum):
    """What the writer is about."""

    WRITING = "writing"
    """Batches go out as they fall due."""
    RECOVERING = "recovering"
    """An append failed. Nothing new goes out until all that was on its way is known to be in the log."""
    READING = "reading"
    """Records stand where ours were to go, and somebody reads which they are."""
    ENDED = "ended"
    """Everything is durable, the terminal fence too."""
    SUPERSEDED = "superseded"
    """Someone else ended the generation. Nothing more is written."""
    GIVEN_UP = "given up"
    """The log stayed out of reach, or failed in a way that nobody foresaw. Nothing more is written."""


@dataclass(slots=True, eq=False)
class Batch:
    """Records to append at ``start``, under the writer's token; if ``alone``, by themselves and not in a session."""

    start: int
    records: list[NewRecord]
    sent_at: float = 0.0
    alone: bool = True
    in_flight: bool = True
    landed: bool = False

    @property
    def end(self) -> int:
        """The sequence number after the last record."""
        return self.start + len(self.records)


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Read the log from ``start`` to its tail, and tell ``Writer.found`` the records."""

    start: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until ``until`` (the clock that ``take`` is asked by); None: until something happens."""

    until: float | None


class _Pending(NamedTuple):
    body: bytes
    delta: Chunk | None
    """The chunk, if its neighbours may be merged with it."""


class Writer:
    """Batches, merges, paces and recovers. All times are seconds of one monotonic clock.

    A batch goes out at once when nothing is on its way, otherwise when ``batch_size`` chunks wait or the oldest of them
    has waited for ``linger`` seconds.
    """

    def __init__(
        self, lifecycle: Lifecycle, *, token: str, next_seq: int, now: float, batch_size: int = 10, linger: float = 0.05
    ) -> None:
        self.token = token
        self.state = State.WRITING
        self.why = ""
        """Why the generation is not ours any more."""
        self._lifecycle = lifecycle
        self._next_seq = next_seq
        self._batch_size = batch_size
        self._linger = linger
        self._pending: deque[_Pending] = deque()
        self._pending_bytes = 0
        self._oldest = now
        self._deferred = False
        self._unacknowledged: deque[Batch] = deque()
        self._in_flight = 0
        self._pipelined = False
        self._last_append = now
        self._failing_since: float | None = None
        self._attempts = 0
        self._retry_at = 0.0
        self._terminal_token: str | None = None
        self._fenced = False

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state is State.ENDED or self.lost

    @property
    def lost(self) -> bool:
        """Whether the generation is not ours any more."""
        return self.state in (State.SUPERSEDED, State.GIVEN_UP)

    @property
    def finishing(self) -> bool:
        """Whether the end was written, so that nothing more is taken from the source."""
        return self._terminal_token is not None

    @property
    def full(self) -> bool:
        """Whether the source has to wait: a slow log slows it down, and memory stays bounded."""
        return len(self._pending) >= MAX_PENDING_CHUNKS or self._pending_bytes >= MAX_PENDING_BYTES

    def push(self, event: object, now: float, at: int) -> str | None:
        """Take up a source's event, unless the writer is done or finishing; return why it was dropped, if it was.

        ``at`` is the time in milliseconds since 1970. A terminal chunk waits for ``linger``, so that the fence, which
        usually comes right after it, shares its batch. Raises ChunkTooLarge.
        """
        if self.done or self.finishing:
            return None
        try:
            for chunk in self._lifecycle.feed(event, at):
                self._store(chunk, now)
        except Unusable as error:
            return str(error)
        except ChunkTooLarge:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            kind = event.get("type") if isinstance(event, dict) else None
            return f"a {kind} that JSON cannot hold ({error})"
        return None

    def resolve(self, ending: Ending) -> Ending:
        """Return how the generation ends if ``finish`` is called with this ending now."""
        return self._lifecycle.parts.resolve(ending)

    def finish(self, ending: Ending, token: str, now: float, at: int) -> None:
        """End the generation: what is owed to readers is written, and then the fence with this terminal token."""
        if self.done or self.finishing:
            return
        for chunk in self._lifecycle.end(ending, at):
            self._store(chunk, now)
        self._terminal_token = token

    def superseded(self, why: str) -> None:
        """Someone else ended the generation: write nothing more."""
        self._lose(State.SUPERSEDED, why)

    def give_up(self, why: str) -> None:
        """The log fails: write nothing more."""
        self._lose(State.GIVEN_UP, why)

    def _lose(self, state: State, why: str) -> None:
        if not self.done:
            self.state = state
            self.why = why
            self._pending.clear()
            self._pending_bytes = 0

    def take(self, now: float) -> Batch | ReadFrom | Wait:
        """Return what to do next. Every batch must be answered by one of the methods below."""
        if self.done:
            return Wait(None)
        if self.state is State.WRITING:
            return self._due(now)
        if self._in_flight:
            return Wait(None)
        first = self._unacknowledged[0]
        if self.state is State.READING:
            return ReadFrom(first.start)
        if now < self._retry_at:
            return Wait(self._retry_at)
        first.alone = True
        return self._send(first, now)

    def acknowledged(self, batch: Batch, now: float) -> None:
        """The batch is durable."""
        self._answered(batch)
        batch.landed = True
        self._failing_since = None
        self._attempts = 0
        if self._pending and now - batch.sent_at > PIPELINE_FROM:
            self._pipelined = True
        self._forget_landed()

    def refused(self, batch: Batch, current: str) -> None:
        """The batch was refused because ``current`` is the token in force: our own end, or someone else's."""
        self._answered(batch)
        if self._fenced and current == self._terminal_token:
            self._unacknowledged.clear()
            self._forget_landed()
        else:
            self.superseded(f"the stream is fenced with {current!r}")

    def displaced(self, batch: Batch) -> None:
        """The batch was refused because its sequence number is taken."""
        self._answered(batch)
        if not self.done:
            self.state = State.READING

    def unknown(self, batch: Batch, now: float, why: str = "the log cannot be reached") -> None:
        """Nobody can say whether the batch landed, or ever will."""
        self._answered(batch)
        if self.done:
            return
        if self.state is State.WRITING:
            self.state = State.RECOVERING
        self.unreachable(now, why)

    def unreachable(self, now: float, why: str) -> None:
        """The log could not be read or written. Try again, unless this has gone on for too long."""
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since > GIVE_UP_AFTER:
            self.give_up(why)
        self._retry_at = now + BACKOFF[min(self._attempts, len(BACKOFF) - 1)]
        self._attempts += 1

    def found(self, records: Iterable[Record]) -> None:
        """The records from ``ReadFrom.start`` to the tail: forget our batches among them, and renumber the others.

        What stands in our way otherwise was appended without a token, and ours follows it.
        """
        if self.state is not State.READING:
            return
        position = self._unacknowledged[0].start
        stored: dict[int, NewRecord] = {}
        for record in records:
            stored[record.seq_num] = NewRecord(record.body, record.headers)
            position = record.seq_num + 1
        for batch in self._unacknowledged:
            if [stored.get(seq) for seq in range(batch.start, batch.end)] != batch.records:
                break
            batch.landed = True
            self._failing_since = None
        self.state = State.RECOVERING
        self._forget_landed()
        for batch in self._unacknowledged:
            batch.start = position
            position = batch.end
        self._next_seq = position

    def _store(self, chunk: Chunk, now: float) -> None:
        bodies = list(encode_split(chunk))
        if not self._pending:
            self._oldest = now
        # The pieces of a split chunk must not be merged again.
        delta = chunk if len(bodies) == 1 and chunk["type"] in DELTAS else None
        for body in bodies:
            self._pending.append(_Pending(body, delta))
            self._pending_bytes += len(body)
        self._deferred = chunk["type"] in TERMINALS

    def _due(self, now: float) -> Batch | Wait:
        if self._in_flight >= (MAX_IN_FLIGHT if self._pipelined else 1):
            return Wait(None)
        if self.finishing:
            return Wait(None) if self._fenced else self._new_batch(self._next_records(now), now)
        if not self._pending:
            due = self._last_append + HEARTBEAT_AFTER
            return Wait(due) if now < due else self._new_batch([HEARTBEAT], now)
        due = self._oldest + self._linger
        at_once = not self._in_flight and not self._deferred
        if at_once or len(self._pending) >= self._batch_size or now >= due:
            return self._new_batch(self._next_records(now), now)
        return Wait(due)

    def _new_batch(self, records: list[NewRecord], now: float) -> Batch:
        batch = Batch(self._next_seq, records, alone=not self._pipelined)
        self._next_seq = batch.end
        self._unacknowledged.append(batch)
        return self._send(batch, now)

    def _send(self, batch: Batch, now: float) -> Batch:
        batch.sent_at = self._last_append = now
        batch.in_flight = True
        self._in_flight += 1
        return batch

    def _answered(self, batch: Batch) -> None:
        if batch.in_flight:
            batch.in_flight = False
            self._in_flight -= 1

    def _forget_landed(self) -> None:
        while self._unacknowledged and self._unacknowledged[0].landed:
            self._unacknowledged.popleft()
        if not self._unacknowledged and not self.done:
            self.state = State.ENDED if self._fenced else State.WRITING

    def _next_records(self, now: float) -> list[NewRecord]:
        """Take the next batch off the pending chunks: neighbours merged, within the limits of one append."""
        records: list[NewRecord] = []
        # Room is kept for the terminal fence, which must share the batch of the terminal chunk.
        room = MAX_BATCH_BYTES - _FENCE_BYTES
        size = 0
        while self._pending and len(records) < MAX_BATCH_RECORDS - 1:
            run = self._next_run(room - size)
            if not run:
                break
            body = run[0].body if len(run) == 1 else encode(merge_run([item.delta for item in run if item.delta]))
            if len(body) > sum(len(item.body) for item in run):
                # A lone surrogate has all the text around it escaped, which may not fit any more.
                run = run[:1]
                body = run[0].body
            records.append(NewRecord(body))
            size += metered_bytes(records[-1:])
            for _ in run:
                self._pending_bytes -= len(self._pending.popleft().body)
        if self._terminal_token is not None and not self._pending:
            records.append(fence(self._terminal_token))
            self._fenced = True
        self._oldest = now
        self._deferred = False
        return records

    def _next_run(self, room: int) -> list[_Pending]:
        run: list[_Pending] = []
        size = 8
        for item in self._pending:
            if run:
                before = run[-1].delta
                if before is None or item.delta is None or not can_merge(before, item.delta):
                    break
            if size + len(item.body) > room:
                break
            size += len(item.body)
            run.append(item)
        return run
