"""TanStack AI's own wire formats: one run, as its HTTP adapters resume it, and a stored chat as JSON.

What is said about clients was tried with @tanstack/ai-client 0.33.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..errors import BadRequest
from ..protocol.chunks import TERMINALS
from ..protocol.json_text import dumps
from ..transcript.js import date
from ..view.events import Event, TurnEnded
from ..view.generation import ChunkRead, Generation, interrupts_of
from ..view.messages_json import MessagesJson
from ..view.view import View
from .answers import answer, frames_of, joined
from .messages import Message, read_messages
from .sse import Frame, Piece

_WHOLE: Final[dict[str, Any]] = {"truncated": False}

LATEST: Final = 10**18
"""As a cursor: only what comes from now on."""


def read_rows(messages: Any) -> list[Message]:
    """Return a submitted list as ``read_messages`` does, with the dates that the client packs into its metadata.

    Raises BadRequest (400).
    """
    return [_unpacked(message) for message in read_messages(messages)]


def _unpacked(message: Message) -> Message:
    metadata = message.get("metadata")
    packed = metadata.get("tanstack") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(packed, dict) or "createdAt" not in packed:
        return message
    created = date(packed["createdAt"])
    unpacked = {key: value for key, value in message.items() if key != "metadata"}
    rest = {key: value for key, value in packed.items() if key != "createdAt"}
    kept = {key: value for key, value in metadata.items() if key != "tanstack"} | ({"tanstack": rest} if rest else {})
    return unpacked | ({"metadata": kept} if kept else {}) | ({"createdAt": created} if created is not None else {})


class TanStackRun:
    """One run for one response, from its start or a cursor on.

    A client reads the response to its end, and takes the run for finished if it got a terminal chunk in it. So one
    that comes back after the terminal gets that again, without an id: nothing comes after it.
    """

    def __init__(self) -> None:
        self._ended = False

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return the chunks that a client with this cursor lacks, and the terminal if it would get none."""
        newest = view.generation
        if newest is None:
            return []
        missing = [read for read in newest.chunks if cursor is None or read.seq_num >= cursor]
        self._note(missing)
        frames = answer(newest, cursor)
        return joined(frames if newest.running else [*frames, *self._owed(newest)])

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return the frames of the chunks among these events, and the terminal if the client got none."""
        follows = view.generation.follows if view.generation is not None else None
        chunks = [event for event in events if isinstance(event, ChunkRead)]
        self._note(chunks)
        frames = frames_of(chunks, follows)
        last = events[-1] if events else None
        return joined([*frames, *self._owed(last.generation)] if isinstance(last, TurnEnded) else frames)

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return False: no messages are sent."""
        return False

    def _note(self, chunks: Sequence[ChunkRead]) -> None:
        self._ended = self._ended or any(read.chunk["type"] in TERMINALS for read in chunks)

    def _owed(self, generation: Generation) -> list[Frame]:
        terminal = generation.terminal
        return [] if self._ended or terminal is None else [Frame(None, dumps(terminal.chunk))]


class TanStackChat:
    """A stored chat as one JSON document: its messages, the run that goes on, and the interrupts that wait.

    ``limit`` asks for so many messages, the newest ones or those before the message with the id ``before``.
    """

    def __init__(self, limit: int | None = None, before: str | None = None) -> None:
        self._limit = limit
        self._before = before

    def opening(self, view: View, cursor: int | None) -> list[Piece]:
        """Return the document. Raises BadRequest (404) if the message ``before`` is not in the chat."""
        newest = view.generation
        running = newest if newest is not None and newest.running else None
        page = _WHOLE
        messages: list[Piece] = []
        if self._is_whole:
            messages.append(view.json.encode())
        else:
            shown, page = self._page(view.messages)
            messages.append(dumps(shown))
        if running is not None and self._before is None:
            messages = _with_place_for(running, view, messages)
        interrupt = view.interrupt
        asked = interrupts_of(interrupt.chunk) if interrupt is not None else []
        rest = {
            "activeRun": {"runId": running.run_id} if running is not None else None,
            "interrupts": {"runId": interrupt.chunk.get("runId"), "pending": asked} if interrupt is not None else None,
            "page": page,
        }
        return [b'{"messages":', *messages, b"," + dumps(rest)[1:]]

    def live(self, view: View, events: Sequence[Event]) -> list[Piece]:
        """Return nothing: the document is whole."""
        return []

    def needs_messages(self, events: Sequence[Event]) -> bool:
        """Return whether all messages are asked for."""
        return self._is_whole

    @property
    def _is_whole(self) -> bool:
        return self._limit is None and self._before is None

    def _page(self, messages: Sequence[dict[str, Any]]) -> tuple[Sequence[dict[str, Any]], dict[str, Any]]:
        end = len(messages)
        if self._before is not None:
            end = next((at for at, message in enumerate(messages) if message.get("id") == self._before), -1)
            if end < 0:
                raise BadRequest(404, "before: this message is not in the chat any more. Load the newest page again.")
        start = max(0, end - self._limit) if self._limit is not None else 0
        page = {"truncated": True, "cursor": messages[start]["id"]} if start > 0 and start < end else _WHOLE
        return messages[start:end], page


def _with_place_for(running: Generation, view: View, messages: list[Piece]) -> list[Piece]:
    """Return the messages, with an empty one at the end if they would end with an earlier answer.

    A client that joins a run drops the answer that ends its list, and builds it again from the run's chunks.
    """
    if not view.messages or view.messages[-1].get("role") != "assistant":
        return messages
    shown = b"".join(piece.data if isinstance(piece, MessagesJson) else piece for piece in messages)
    place = {"id": running.parts.assistant or f"msg-{running.start}", "role": "assistant", "parts": []}
    return [shown[:-1] + b"," + dumps(place) + b"]"]
