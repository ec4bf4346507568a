"""The AI SDK's wire formats: one answer as a UI message stream, and a chat's messages as a JSON array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from ...protocol.merge import can_merge, merge_run
from ...view.events import Event, TurnEnded
from ...view.generation import ChunkRead, Generation
from ...view.view import View
from ..sse import Piece
from .answer import Answer, end_of
from .frames import DONE, encode, frames
from .history import joined, last_answer, ui_messages
from .names import Message
from .replayed import calls_of, replayed


class AnswerStream:
    """One answer for one reader, from its start or a cursor on.

    A reader that comes back without a cursor (``replays``) also needs the message that the answer continues, because
    the client starts its message over at each ``start``. One that sends has that message: ``continues`` is its id,
    and ``known_calls`` are its tool calls.
    """

    def __init__(self, *, replays: bool = False, continues: str | None = None, known_calls: Sequence[str] = ()) -> None:
        self._replays = replays
        self._answer = Answer(continues, known_calls)

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return what the reader gets first: the answer so far, or what came after the cursor."""
        generation = view.generation
        if generation is None:
            return []
        if cursor is not None and cursor < generation.answer_from:
            cursor = None
        if not self._replays:
            return self._from(generation, cursor)
        if cursor is None and not generation.running:
            return _whole(view, generation)
        before = _continued(view, generation)
        if before is None:
            return self._from(generation, cursor)
        self._answer = Answer(before["id"], calls_of(before))
        # A reader that breaks off among these chunks gets them again: only the last has a cursor.
        earlier = [] if cursor is not None else [frames(replayed(before), generation.answer_from)]
        return [*earlier, *self._from(generation, cursor)]

    def _from(self, generation: Generation, cursor: int | None) -> list[Piece]:
        """Return the answer from the cursor on. What came before it counts all the same."""
        seen = [] if cursor is None else [read for read in generation.chunks if read.seq_num < cursor]
        for read in _merged(seen):
            self._answer.feed(read)
        pieces = self._told(generation.chunks[len(seen) :])
        return pieces if generation.running else [*pieces, *self._ended(generation, cursor)]

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return what the reader gets for these events."""
        pieces = self._told([event for event in events if isinstance(event, ChunkRead)])
        ended = events[-1] if events else None
        return [*pieces, *self._ended(ended.generation, None)] if isinstance(ended, TurnEnded) else pieces

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return False: ``live`` sends no messages."""
        return False

    def _told(self, chunks: Sequence[ChunkRead]) -> list[Piece]:
        told = [(self._answer.feed(read), read.seq_num + 1) for read in _merged(chunks)]
        return [b"".join([frames(made, cursor) for made, cursor in told if made])]

    def _ended(self, generation: Generation, cursor: int | None) -> list[Piece]:
        assert generation.ending is not None
        assert generation.end is not None
        made = self._answer.end(generation.ending)
        has_it_all = cursor is not None and cursor > generation.end
        return [DONE] if has_it_all else [frames(made, generation.end + 1), DONE]


class History:
    """A chat's finished messages and the running turn's user messages, without the running answer."""

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return the messages as a JSON array."""
        return [b"[" + b",".join(encode(message) for message in ui_messages(view.messages)) + b"]"]

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return nothing: the array is complete."""
        return []

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return False: the messages are not sent as they are."""
        return False


def _merged(chunks: Iterable[ChunkRead]) -> Iterator[ChunkRead]:
    """Yield the chunks with adjacent deltas of one target as one, which has the place of the last."""
    run: list[ChunkRead] = []
    for read in chunks:
        if run and not can_merge(run[-1].chunk, read.chunk):
            yield _joined(run)
            run = []
        run.append(read)
    if run:
        yield _joined(run)


def _joined(run: Sequence[ChunkRead]) -> ChunkRead:
    return run[-1]._replace(chunk=merge_run([read.chunk for read in run])) if len(run) > 1 else run[0]


def _whole(view: View, generation: Generation) -> list[Piece]:
    """Return an answer that has ended as its message, which holds all of it."""
    assert generation.ending is not None
    assert generation.end is not None
    group = last_answer(view.messages)
    made = list(replayed(joined(group))) if group else []
    end = end_of(generation.ending, None, in_step=bool(group))
    return [frames([*made, *end], generation.end + 1), DONE]


def _continued(view: View, generation: Generation) -> Message | None:
    """Return the message that a generation's answer continues, as the client has it; None if it continues none."""
    own = set() if generation.running else _own_messages(generation)
    group = list(takewhile(lambda message: message.get("id") not in own, last_answer(view.messages)))
    return joined(group) if group else None


def _own_messages(generation: Generation) -> set[Any]:
    """Return the ids of the messages that a generation's chunks may have made."""
    named = {read.chunk.get(key) for read in generation.chunks for key in ("messageId", "parentMessageId")}
    return named | {f"msg-{read.seq_num}" for read in generation.chunks}
