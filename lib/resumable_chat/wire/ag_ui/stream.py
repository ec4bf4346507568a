"""Runs and chats as server-sent events of AG-UI."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from ...protocol.json_text import dumps
from ...protocol.outcomes import Ending, Outcome
from ...view.events import Event, TurnBegan, TurnEnded
from ...view.generation import ChunkRead, Generation
from ...view.view import View
from ..answers import joined
from ..sse import Frame, Piece, merged
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
        return joined([*self._run(generation, cursor)]) if generation is not None else []

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
        return joined([*frames, *self._frames(chunks)])

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return False: the view's own messages are not sent."""
        return False

    def _run(
        self, generation: Generation, cursor: int | None, before: Sequence[dict[str, Any]] = ()
    ) -> Iterator[Frame]:
        """Yield the frames of a run after a cursor. The events ``before`` come right behind its RUN_STARTED."""
        run_id = self._run_id or generation.run_id
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
        return [frame for cursor, chunk in merged(chunks) for frame in _framed(self._rewriter.feed(chunk), cursor)]


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
        newest = view.generation
        running = newest if newest is not None and newest.running else None
        thoughts = _thoughts(running.chunks) if running is not None else ()
        history = snapshots(view.messages, self._known, thoughts=thoughts, files=self._dialect.current)
        if running is not None:
            return joined([*self._run(running, None, history)])
        interrupt = view.interrupt
        asking = interrupt.chunk.get("runId") if interrupt is not None else None
        run_id = asking if isinstance(asking, str) else self._idle_run_id or NO_RUN
        last = last_event(self._dialect, run_id, Ending(Outcome.FINISHED), interrupt.chunk if interrupt else None)
        return joined(_framed([first_event(self._dialect, run_id), *history, last], view.next_seq))


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


def _framed(events: Sequence[dict[str, Any]], cursor: int | None) -> list[Frame]:
    """Return frames for the events of one record: the last has the cursor after it."""
    last = len(events) - 1
    return [Frame(cursor if index == last else None, dumps(event)) for index, event in enumerate(events)]
