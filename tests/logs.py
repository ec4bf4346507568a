"""Logs for the tests of pure code: records made by hand, and a log in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from random import Random
from typing import Any

from resumable_chat.protocol.records import NewRecord, Record, fence
from resumable_chat.protocol.turns import Turn
from resumable_chat.view.events import ChunkRead, Event
from resumable_chat.view.messages_json import MessagesJson
from resumable_chat.view.view import View
from resumable_chat.wire.sse import Piece

from .simulation.loop import Process, VirtualLoop
from .simulation.network import NetworkLog, Server, Weather

EPOCH_MS = 1_700_000_000_000
OURS = "session-0a1b2c3d"

Chunk = dict[str, Any]


def records(*items: str | bytes | Chunk, start: int = 0) -> list[Record]:
    """Records from sequence number ``start`` on, a second apart: a token is a fence, a chunk or bytes a data record."""
    made = []
    for at, item in enumerate(items, start):
        new = fence(item) if isinstance(item, str) else NewRecord(item if isinstance(item, bytes) else encoded(item))
        made.append(Record(at, EPOCH_MS + 1000 * at, new.body, new.headers))
    return made


def encoded(chunk: Chunk) -> bytes:
    return json.dumps(chunk).encode()


def message(message_id: str, text: str = "hi") -> Chunk:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "content": text}]}


def turn(
    said: Chunk, after: str | None = None, *, seen: int | None = None, run_id: str | None = None, pending: bool = False
) -> list[Chunk]:
    """The chunks that store a turn."""
    stored = Turn(said, after, seen, run_id, pending)
    return [stored.chunk(), *stored.text_events()]


def user_text(message_id: str, text: str = "hi") -> list[Chunk]:
    """A user's message as another implementation stores it."""
    return turn(message(message_id, text))[1:]


def answer(message_id: str, run_id: str, *words: str, finish: bool = True) -> list[Chunk]:
    """A run's chunks, to its RUN_FINISHED if it is to ``finish``."""
    return [
        {"type": "RUN_STARTED", "runId": run_id},
        {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": word} for word in words),
        *([{"type": "TEXT_MESSAGE_END", "messageId": message_id}, finished(run_id)] if finish else []),
    ]


def finished(run_id: str, reason: str = "stop") -> Chunk:
    return {"type": "RUN_FINISHED", "runId": run_id, "finishReason": reason}


def fed(view: View, read: Iterable[Record]) -> list[Event]:
    """Feed the records in one go; all events in order."""
    return [event for events in view.feed(read) for event in events]


def view_of(*items: str | bytes | Chunk, fold: bool = True) -> View:
    view = View(fold=fold)
    fed(view, records(*items))
    return view


def kinds(events: Iterable[Event]) -> list[str]:
    """Events in short: chunk types, and the names of the others."""
    return [event.chunk["type"] if isinstance(event, ChunkRead) else type(event).__name__ for event in events]


def texts(view: View) -> list[tuple[str, str]]:
    """The messages in short: ids, and their text."""
    return [
        (said["id"], "".join(str(part.get("content")) for part in said["parts"] if part.get("type") == "text"))
        for said in view.messages
    ]


def run_of(said: Chunk) -> Chunk | None:
    """The outcome that a message carries, without its times."""
    run = said.get("metadata", {}).get("resumable", {}).get("run")
    return None if run is None else {key: value for key, value in run.items() if not key.endswith("At")}


def body(pieces: Iterable[Piece]) -> bytes:
    return b"".join(piece.data if isinstance(piece, MessagesJson) else piece for piece in pieces)


def events_in(sent: bytes) -> list[tuple[int | None, Chunk]]:
    """The server-sent events in a body: ids (None: it has none) and chunks."""
    found: list[tuple[int | None, Chunk]] = []
    for event in sent.decode("utf-8", "surrogatepass").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if not line.startswith(":") and line)
        if "data" in lines:
            found.append((int(lines["id"]) if "id" in lines else None, json.loads(lines["data"])))
    return found


class VirtualLog(NetworkLog):
    """A log in virtual time that answers within a millisecond or so. ``cut`` puts it out of reach."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.server = Server(loop)
        self.reads: list[int] = []
        """Where each reading began."""
        self.followers = 0
        super().__init__(self.server, Process(loop, "reader"), Weather(0.001, 0, 0, 0, 0, 0), Random(1))

    def add(self, *items: str | bytes | Chunk, stream: str = "s") -> None:
        """Have another process append these."""
        new = [NewRecord(made.body, made.headers) for made in records(*items)]
        self.server.append(stream, new, None, None)

    def read(self, stream: str, start: int, *, end: int | None = None) -> Any:
        self.reads.append(start)
        return super().read(stream, start, end=end)

    async def follow(self, stream: str, start: int) -> Any:
        self.followers += 1
        try:
            async for batch in super().follow(stream, start):
                yield batch
        finally:
            self.followers -= 1
