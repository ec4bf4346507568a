"""Runs and chats as server-sent events of AG-UI."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from ...protocol.chunks import Chunk
from ...protocol.json_text import dumps
from ...protocol.merge import can_merge, merge_run
from ...protocol.outcomes import Ending, Outcome
from ...view.events import Event, TurnBegan, TurnEnded
from ...view.generation import ChunkRead, Generation
from ...view.view import View
from ..sse import Frame, Piece
from .ends import Dialect, first_event, last_event
from .fields import Row
from .history import snapshots
from .run import RunRewriter

NO_RUN: Final = "run-0"
"""The id of the run that carries the history of a chat without any run."""


class AgUiRun:
    """One run for one client, from its start or a cursor on, up to its end.

    ``run_id`` is the client's id of it, None if the log knows better. ``answered`` are the calls whose results the
    client has as rows of its own.
    """

    def __init__(self, dialect: Dialect, *, run_id: str | None = None, answered: Collection[str] = ()) -> None:
        self._dialect = dialect
        self._run_id = run_id
        self._answered = answered
        self._users: set[str] = set()
        self._rewriter = RunRewriter(dialect, run_id or NO_RUN)

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return the run up to now, without what a reader with this cursor has."""
        generation = view.generation
        return _pieces(self._run(generation, cursor)) if generation is not None else []

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return the frames of these events."""
        frames: list[Frame] = []
        chunks: list[ChunkRead] = []
        for event in events:
            if isinstance(event, ChunkRead):
                chunks.append(event)
            elif isinstance(event, TurnBegan):
                self._users.update(_ids(event.generation))
            elif isinstance(event, TurnEnded):
                frames += self._frames(chunks)
                chunks = []
                frames += _framed(self._rewriter.end(event.ending), _after(event.generation))
        return _pieces([*frames, *self._frames(chunks)])

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return False: the view's own messages are not sent."""
        return False

    def _run(
        self, generation: Generation, cursor: int | None, before: Sequence[dict[str, Any]] = ()
    ) -> Iterator[Frame]:
        """Yield the frames of a run after a cursor. The events ``before`` come right behind its RUN_STARTED."""
        run_id = self._run_id or next(iter(generation.run_ids), f"run-{generation.start}")
        self._users.update(_ids(generation))
        rewriter = self._rewriter = RunRewriter(
            self._dialect,
            run_id,
            parent_run_id=generation.follows,
            users=self._users,
            answered=self._answered,
        )
        chunks = generation.chunks
        if cursor is None or cursor <= generation.start:
            yield from _framed([rewriter.start(), *before], generation.answer_from)
        else:
            for read in chunks:
                if read.seq_num < cursor:
                    rewriter.feed(read.chunk)
            chunks = [read for read in chunks if read.seq_num >= cursor]
        yield from self._frames(chunks)
        if generation.ending is not None:
            after, events = _after(generation), rewriter.end(generation.ending)
            # A client that has it all already comes back for the terminal alone.
            has_all = cursor is not None and after is not None and cursor >= after
            yield from _framed(events[-1:], None) if has_all else _framed(events, after)

    def _frames(self, chunks: Iterable[ChunkRead]) -> list[Frame]:
        return [frame for cursor, chunk in _merged(chunks) for frame in _framed(self._rewriter.feed(chunk), cursor)]


class AgUiChat(AgUiRun):
    """A chat up to now, and then the run that goes on, if one does: one run in either case, as verifiers want it.

    ``known`` are the rows that the client has. Clients keep these in their order when they get the history.
    """

    def __init__(self, dialect: Dialect, *, idle_run_id: str | None = None, known: Sequence[Row] = ()) -> None:
        super().__init__(dialect)
        self._idle_run_id = idle_run_id
        self._known = known

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return the history, and the running run up to now; interrupts that wait for an answer end an idle chat's."""
        generation = view.generation
        running = generation is not None and generation.running
        thoughts = _thoughts(generation.chunks) if running and generation is not None else ()
        history = snapshots(view.messages, self._known, thoughts=thoughts, files=self._dialect.current)
        if running and generation is not None:
            return _pieces(self._run(generation, None, history))
        interrupt = view.interrupt
        asking = interrupt.chunk.get("runId") if interrupt is not None else None
        run_id = asking if isinstance(asking, str) else self._idle_run_id or NO_RUN
        last = last_event(self._dialect, run_id, Ending(Outcome.FINISHED), interrupt.chunk if interrupt else None)
        return _pieces(_framed([first_event(self._dialect, run_id), *history, last], view.next_seq))


def _thoughts(chunks: Sequence[ChunkRead]) -> list[str]:
    """Return the rows of the thoughts among the chunks of a run."""
    rewriter = RunRewriter(Dialect(""), NO_RUN)
    events = (event for read in chunks for event in rewriter.feed(read.chunk))
    return [event["messageId"] for event in events if event["type"] == "REASONING_START"]


def _ids(generation: Generation) -> Iterator[str]:
    for turn in generation.turns:
        if turn.message.get("role") == "user" and isinstance(turn.message.get("id"), str):
            yield turn.message["id"]


def _after(generation: Generation) -> int | None:
    return None if generation.end is None else generation.end + 1


def _merged(chunks: Iterable[ChunkRead]) -> Iterator[tuple[int | None, Chunk]]:
    """Yield the chunks with adjacent deltas merged, each with the cursor after it.

    Of several chunks of one record, only the last has a cursor.
    """
    run: list[ChunkRead] = []
    for read in chunks:
        if run and not can_merge(run[-1].chunk, read.chunk):
            yield _cursor(run, read.seq_num), merge_run([each.chunk for each in run])
            run = []
        run.append(read)
    if run:
        yield _cursor(run, None), merge_run([each.chunk for each in run])


def _cursor(run: Sequence[ChunkRead], following: int | None) -> int | None:
    seq_num = run[-1].seq_num
    return None if seq_num == following else seq_num + 1


def _framed(events: Sequence[dict[str, Any]], cursor: int | None) -> list[Frame]:
    """Return frames for the events of one record: the last has the cursor after it."""
    last = len(events) - 1
    return [Frame(cursor if index == last else None, dumps(event)) for index, event in enumerate(events)]


def _pieces(frames: Iterable[Frame]) -> list[Piece]:
    data = b"".join(frame.encode() for frame in frames)
    return [data] if data else []
