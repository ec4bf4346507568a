"""One generation of a session: the user's messages it began with, and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..protocol import tokens
from ..protocol.chunks import TERMINALS, Chunk
from ..protocol.open_parts import METADATA, OpenParts
from ..protocol.outcomes import Ending, Outcome

Message = dict[str, Any]


class ChunkRead(NamedTuple):
    """A chunk of an answer, with the sequence number and the timestamp (ms since 1970) of its record.

    A chunk that readers need and the log lacks has those of the fence that ended its generation.
    """

    seq_num: int
    timestamp: int
    chunk: Chunk


@dataclass(slots=True, eq=False)
class UserTurn:
    """A message that a generation began with.

    ``record`` is its ``resumable.turn`` chunk, None if another implementation wrote it as text events alone.
    ``texts`` are the text events that the log holds of it.
    """

    message: Message
    record: ChunkRead | None
    texts: list[ChunkRead] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Generation:
    """Everything between an opening fence, at ``start``, and the next fence, at ``end`` (None: it runs).

    ``token`` is "" for records before the first readable fence: the log's head was trimmed. ``opened_at`` and
    ``ended_at`` are in ms since 1970. ``answer_from`` is the cursor after the user's messages. ``follows`` is the id
    of the run before it if that run left interrupts open: this generation answers or abandons them.
    """

    start: int
    token: str
    opened_at: int
    parts: OpenParts
    answer_from: int
    follows: str | None = None
    turns: list[UserTurn] = field(default_factory=list)
    chunks: list[ChunkRead] = field(default_factory=list)
    run_ids: dict[str, None] = field(default_factory=dict)
    end: int | None = None
    ended_at: int | None = None
    ending: Ending | None = None
    _terminal: ChunkRead | None = None
    _outcome: dict[str, Any] | None = None

    @property
    def running(self) -> bool:
        """Whether no fence has ended it yet."""
        return self.end is None

    @property
    def run_id(self) -> str:
        """The id of its first run; one of our own while the log names none."""
        return next(iter(self.run_ids), self._unnamed)

    @property
    def _unnamed(self) -> str:
        return f"run-{self.start}"

    def has_run(self, run_id: str) -> bool:
        """Return whether a run of this id is or was part of it, by the log or by its token."""
        return run_id in (*self.run_ids, self._unnamed) or tokens.parse(self.token).key == tokens.key_of(run_id)

    @property
    def terminal(self) -> ChunkRead | None:
        """The last terminal chunk, if no run has started since."""
        return self._terminal

    @property
    def interrupt(self) -> ChunkRead | None:
        """The RUN_FINISHED that left interrupts open; None if the last terminal left none."""
        terminal = self._terminal
        return terminal if terminal is not None and interrupts_of(terminal.chunk) else None

    def note(self, read: ChunkRead) -> None:
        """Take note of the next chunk, whoever sees it."""
        chunk = read.chunk
        kind = chunk["type"]
        if kind == "RUN_STARTED":
            run_id = chunk.get("runId")
            if isinstance(run_id, str):
                self.run_ids[run_id] = None
            self._terminal = self._outcome = None
        elif kind in TERMINALS:
            self._terminal = read
        elif kind == "TEXT_MESSAGE_END":
            self._outcome = _outcome_of(chunk) or self._outcome

    def ended(self, token: str, end: int, timestamp: int, *, folded: bool) -> list[ChunkRead]:
        """End the generation with the fence at ``end``; return the chunks that its writer owed, now part of it.

        They are those that a stop or a reader would have written: ends of texts, the outcome, and a terminal. Without
        messages to be ``folded`` into, only the terminal matters.
        """
        ending = _ending_by(token)
        is_owed = self.parts.open or (folded and self._outcome is None)
        chunks = self.parts.end(ending, timestamp) if is_owed else []
        owed = [ChunkRead(end, timestamp, chunk) for chunk in chunks]
        ending = self.parts.resolve(ending)
        for read in owed:
            self.note(read)
        self.chunks += owed
        self.end = end
        self.ended_at = timestamp
        self.ending = _stored_ending(self._outcome, ending)
        return owed


def interrupts_of(terminal: Chunk) -> list[dict[str, Any]]:
    """Return the interrupts that a terminal chunk leaves open."""
    outcome = terminal.get("outcome")
    if terminal["type"] != "RUN_FINISHED" or not isinstance(outcome, dict) or outcome.get("type") != "interrupt":
        return []
    interrupts = outcome.get("interrupts")
    return [each for each in interrupts if isinstance(each, dict)] if isinstance(interrupts, list) else []


def _ending_by(token: str) -> Ending:
    """Return how a generation ended by the token of the fence after it."""
    state = tokens.parse(token).state
    if state is tokens.State.RUNNING:
        return Ending(Outcome.LOST)
    return Ending(Outcome.FAILED if state is tokens.State.FAILED else Outcome.FINISHED)


def _outcome_of(chunk: Chunk) -> dict[str, Any] | None:
    metadata = chunk.get("metadata")
    ours = metadata.get(METADATA) if isinstance(metadata, dict) else None
    run = ours.get("run") if isinstance(ours, dict) else None
    return run if isinstance(run, dict) else None


def _stored_ending(outcome: dict[str, Any] | None, ending: Ending) -> Ending:
    """Return the ending that a message carries, which tells a stop from a natural end; ``ending`` if it is unknown."""
    try:
        known = Outcome(str((outcome or {}).get("outcome")))
    except ValueError:
        return ending
    return Ending(known, ending.error, ending.code, ending.finish_reason)
