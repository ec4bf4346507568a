"""The view of one session: what its log says to every reader, as a value that is fed records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from ..protocol.chunks import decode
from ..protocol.marks import is_mark
from ..protocol.open_parts import OpenParts
from ..protocol.records import Kind, Record, fence_token, kind
from ..protocol.tokens import is_terminal
from ..protocol.turns import Turn
from .events import Event, Skipped, TurnEnded
from .generation import ChunkRead, Generation
from .opening import Opening
from .shapes import flaw
from .transcript import Transcript


class Phase(Enum):
    """Where in the log a view stands."""

    BLANK = "blank"
    """Before the first generation."""
    OPENING = "opening"
    """After an opening fence, among the user's messages."""
    ANSWERING = "answering"
    """In the answer."""
    ENDED = "ended"
    """After a terminal fence."""


class View:
    """A session's log up to ``next_seq``: its finished messages, and its newest generation chunk by chunk.

    The running answer stays out of ``messages`` until it ends, so that a reader who comes in between gets the
    messages before it, and then its chunks. No record makes the view raise: one that cannot be used is skipped,
    counted, and reported as an event.

    Without ``fold`` there are no messages, and only the newest generation counts: the modes single-use and shared.
    """

    def __init__(self, *, fold: bool = True) -> None:
        self.next_seq = 0
        """The next sequence number to feed."""
        self.size = 0
        """Bytes of the data records that the view was made of."""
        self.skipped = 0
        """Number of records and chunks that could not be used."""
        self.phase = Phase.BLANK
        self.token = ""
        """The fencing token in force, as far as the log was read."""
        self.generation: Generation | None = None
        """The newest generation. It stays when it has ended, for readers with a cursor in it."""
        self.runs: dict[str, tuple[int, int]] = {}
        """Where each run that ended is in the log: its generation's opening fence, and the fence after it."""
        self._folds = fold
        self._transcript = Transcript()
        self.json = self._transcript.json
        """The messages as JSON, to be encoded between two lists of events."""
        self._opening: Opening | None = None
        self._asked: dict[str, Turn] = {}
        self._newest_data = -1

    @property
    def running(self) -> bool:
        """Whether the newest generation has not ended yet."""
        return self.phase in (Phase.OPENING, Phase.ANSWERING)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The finished messages, and the running turn's user messages. They may change with the next event."""
        return self._transcript.messages

    @property
    def interrupt(self) -> ChunkRead | None:
        """The RUN_FINISHED whose interrupts wait for an answer: the newest run ended with it, and none came since."""
        newest = self.generation
        return newest.interrupt if newest is not None and not newest.running else None

    def feed(self, records: Iterable[Record]) -> Iterator[list[Event]]:
        """Take in the next records, and yield the events in lists.

        After each list the view stands where its last event left it, so make frames before asking for the next one.
        An empty list marks a point where long work can be interrupted. Records that were fed before are passed over.
        """
        events: list[Event] = []
        for record in records:
            if record.seq_num < self.next_seq:
                continue
            self.next_seq = record.seq_num + 1
            if record.headers:
                what = kind(record)
                if what is Kind.FENCE:
                    yield from self._fence(record, events)
                    events = []
                elif what is Kind.FOREIGN:
                    self._skip(events, Skipped(record.seq_num, "it has headers, but is not a command"))
                continue
            read = self._read(record, events) if record.body else None
            if read is None:
                continue
            if self.phase is Phase.OPENING:
                assert self._opening is not None
                if self._folds and self._is_of_user(read, events):
                    continue
                self.phase = Phase.ANSWERING
                if self._opening.is_due:
                    yield [*events, self._opening.began()]
                    events = []
            if read.chunk["type"] == "CUSTOM" and is_mark(read.chunk):
                continue
            assert self.generation is not None
            self.generation.chunks.append(read)
            events.append(read)
        if self.phase is Phase.OPENING and self._opening is not None and self._opening.has_news:
            events.append(self._opening.began())
        if events:
            yield events

    def _skip(self, events: list[Event], *skipped: Skipped) -> None:
        self.skipped += len(skipped)
        events += skipped

    # --- Fences ---------------------------------------------------------------------------------------------

    def _fence(self, record: Record, events: list[Event]) -> Iterator[list[Event]]:
        token = fence_token(record) or ""
        if self.running:
            yield from self._end(token, record, events)
        elif events:
            yield events
        self.token = token
        if is_terminal(token):
            self.phase = Phase.ENDED
        else:
            self._open(record.seq_num, record.seq_num + 1, token, record.timestamp)

    def _open(self, start: int, answer_from: int, token: str, opened_at: int) -> None:
        interrupt = self.interrupt
        follows = interrupt.chunk.get("runId") if interrupt is not None else None
        self.generation = Generation(
            start,
            token,
            opened_at,
            OpenParts(f"run-{start}", f"msg-{start}"),
            answer_from,
            follows if isinstance(follows, str) else None,
        )
        self._transcript.begin()
        self._opening = Opening(self.generation, self._transcript, self._asked, self._newest_data)
        self.phase = Phase.OPENING
        if not self._folds:
            self.size = 0

    def _end(self, token: str, record: Record, events: list[Event]) -> Iterator[list[Event]]:
        """End the newest generation, and fold its answer."""
        generation, opening = self.generation, self._opening
        assert generation is not None and opening is not None
        if opening.is_due:
            yield [*events, opening.began()]
            events = []
        owed = generation.ended(token, record.seq_num, record.timestamp, folded=self._folds)
        if self._folds:
            for skipped in self._transcript.fold(generation.chunks):
                self._skip(events, *skipped)
                yield events
                events = []
        self.phase = Phase.ENDED
        self._asked.update(opening.asked)
        for run_id in generation.run_ids:
            # A second copy of a request has the run's id as well, but not its answer.
            self.runs.setdefault(run_id, (generation.start, record.seq_num))
        assert generation.ending is not None
        yield [*events, *owed, TurnEnded(generation, generation.ending, replaced=not is_terminal(token))]

    # --- Data records ---------------------------------------------------------------------------------------

    def _read(self, record: Record, events: list[Event]) -> ChunkRead | None:
        """Take note of a data record's chunk; None if it cannot be used."""
        chunk = decode(record.body)
        reason = "it is not a JSON object with a type" if chunk is None else flaw(chunk)
        if reason is None and self.phase is Phase.ENDED:
            reason = "it is outside of any generation"
        if chunk is None or reason is not None:
            self._skip(events, Skipped(record.seq_num, reason or ""))
            return None
        if self.phase is Phase.BLANK:
            # The log's head was trimmed, and the opening fence with it.
            self._open(record.seq_num, record.seq_num, "", record.timestamp)
        generation = self.generation
        assert generation is not None
        read = ChunkRead(record.seq_num, record.timestamp, chunk)
        try:
            generation.parts.feed(chunk, record.timestamp)
            generation.note(read)
        except Exception as error:  # noqa: BLE001 - whatever a record holds, the others are read
            self._skip(events, Skipped(record.seq_num, f"its shape is unknown: {error!r}"))
            return None
        self._newest_data = record.seq_num
        self.size += len(record.body)
        return read

    def _is_of_user(self, read: ChunkRead, events: list[Event]) -> bool:
        """Return whether a record belongs to the user's messages. They are then part of the view."""
        assert self._opening is not None
        try:
            skipped = self._opening.take(read)
        except Exception as error:  # noqa: BLE001 - whatever a record holds, the others are read
            skipped = [Skipped(read.seq_num, f"its turn cannot be applied: {error!r}")]
        self._skip(events, *(skipped or ()))
        return skipped is not None
