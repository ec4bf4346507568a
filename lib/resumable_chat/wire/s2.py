"""The S2 wire format: a chat as one MESSAGES_SNAPSHOT, then the chunks of its log, live.

Clients fold the chunks as TanStack AI's StreamProcessor does. What is said about old clients was tried with
@tanstack/ai-client 0.8.0 and 0.33.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..protocol.chunks import text_content, text_end, text_start
from ..protocol.json_text import dumps
from ..view.events import Event, TurnBegan
from ..view.generation import ChunkRead, UserTurn
from ..view.messages_json import MessagesJson
from ..view.view import View
from .answers import answer, frames_of, joined
from .sse import Frame, Piece, coalesce

TURN_SNAPSHOT_BYTES: Final = 256 * 1024
"""A later turn is sent as a snapshot while that is not longer than this; then as the turn alone, if that can be."""

PICTURE_SNAPSHOT_BYTES: Final = 4 * 1024 * 1024
"""The same for a turn that text events cannot carry: tabs that only watch get its pictures from a snapshot alone."""


class S2Session:
    """A whole chat, for clients that stay subscribed to it."""

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return what a reader gets first.

        After a cursor in the newest generation that is what came since. Any other reader gets all messages, and the
        chunks of the running generation. Encode ``view.json`` step by step before this, unless ``is_current``.
        """
        generation = view.generation
        if generation is not None and self.is_current(view, cursor):
            assert cursor is not None
            return joined(answer(generation, cursor))
        if generation is not None and generation.running:
            return [*_snapshot(generation.answer_from, view.json.encode()), *joined(answer(generation))]
        interrupt = view.interrupt
        if interrupt is None:
            return _snapshot(view.next_seq, view.json.encode())
        # Tabs take open interrupts from this chunk alone. Its id follows that of the snapshot: a reader that breaks
        # off between the two comes back for it.
        asked = Frame(view.next_seq, dumps(interrupt.chunk))
        return [*_snapshot(_cursor_before(view, interrupt), view.json.encode()), asked.encode()]

    def is_current(self, view: View, cursor: int | None) -> bool:
        """Return whether a reader with this cursor has all that came before the newest answer."""
        newest = view.generation
        return newest is not None and cursor is not None and newest.answer_from <= cursor <= view.next_seq

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return what readers get for these events, of which the last left the view as it is."""
        follows = view.generation.follows if view.generation is not None else None
        pieces: list[Piece] = []
        chunks: list[ChunkRead] = []
        for event in events:
            if isinstance(event, ChunkRead):
                chunks.append(event)
            elif isinstance(event, TurnBegan) and (event.turns or event.repeated):
                pieces += [*joined(frames_of(chunks, follows)), *self._turn(view, event)]
                chunks = []
        return pieces + joined(frames_of(chunks, follows))

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return whether ``live`` encodes all messages for these events: do that step by step before."""
        return any(isinstance(event, TurnBegan) and not event.additive for event in events)

    def _turn(self, view: View, began: TurnBegan) -> list[Piece]:
        """Return the frames for a later turn.

        A snapshot has watching tabs end the run before, and brings pictures. It costs as much as the whole chat,
        though, so a turn that only adds comes as text events once the chat is long.
        """
        bound = TURN_SNAPSHOT_BYTES if all(map(_is_plain, began.turns)) else PICTURE_SNAPSHOT_BYTES
        messages = view.json.encode_within(bound) if began.additive else view.json.encode()
        if messages is not None:
            return _snapshot(began.next_seq, messages)
        frames = [frame for turn in began.turns for frame in _turn_frames(turn)]
        *others, last = frames
        return joined([*others, last._replace(id=began.next_seq)])


class S2Generation:
    """One generation alone, in the modes single-use and shared: its chunks, from its start or a cursor on."""

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return the chunks of the newest generation that a reader with this cursor lacks."""
        newest = view.generation
        return joined(answer(newest, cursor)) if newest is not None else []

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return the frames of the chunks among these events."""
        return joined(coalesce(event for event in events if isinstance(event, ChunkRead)))

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return False: no messages are sent."""
        return False


def _snapshot(cursor: int, messages: MessagesJson) -> list[Piece]:
    prefix = b'id: %d\ndata: {"type":"MESSAGES_SNAPSHOT","messages":' % cursor
    return [prefix, messages, b"}\n\n"]


def _cursor_before(view: View, interrupt: ChunkRead) -> int:
    """Return the id of a snapshot that the interrupting chunk comes after.

    A reader that breaks off there gets the records from it on once more, so they must not hold anything that counts
    twice; otherwise it gets the last record alone.
    """
    newest = view.generation
    after = [read for read in newest.chunks if read.seq_num > interrupt.seq_num] if newest is not None else []
    harmless = all(read.chunk["type"] == "TEXT_MESSAGE_END" for read in after)
    return interrupt.seq_num if harmless else view.next_seq - 1


def _turn_frames(turn: UserTurn) -> list[Frame]:
    """Return the events that add a user's message to a client's list.

    Old clients know only text events. The tab that sent the message has it already, and appends the text to a message
    that does not end with it. Such a message comes without text, and as our own chunk, which has all its parts.
    """
    if turn.record is None or _is_plain(turn):
        return coalesce(turn.texts) or [Frame(None, dumps(event)) for event in _events(turn, with_text=True)]
    whole = Frame(turn.record.seq_num + 1, dumps(turn.record.chunk))
    return [whole, *(Frame(None, dumps(event)) for event in _events(turn, with_text=_ends_with_its_text(turn)))]


def _events(turn: UserTurn, *, with_text: bool) -> list[dict[str, Any]]:
    message_id = turn.message["id"]
    text = "".join(_texts(turn))
    content = [text_content(message_id, text)] if with_text and text else []
    return [text_start(message_id, "user"), *content, text_end(message_id)]


def _texts(turn: UserTurn) -> list[str]:
    parts = [part for part in turn.message["parts"] if isinstance(part, dict) and part.get("type") == "text"]
    return [part["content"] for part in parts if isinstance(part.get("content"), str)]


def _is_plain(turn: UserTurn) -> bool:
    parts = turn.message["parts"]
    return len(parts) == 1 and isinstance(parts[0], dict) and parts[0].get("type") == "text"


def _ends_with_its_text(turn: UserTurn) -> bool:
    parts = turn.message["parts"]
    return len(_texts(turn)) == 1 and isinstance(parts[-1], dict) and parts[-1].get("type") == "text"
