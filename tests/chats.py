"""Building blocks of the tests: chats on a fresh log, what a log holds, and what a replay says."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.responses import Response

from resumable_chat import ResumableChat, SourceContext, SqliteLog
from resumable_chat.log.port import Log
from resumable_chat.protocol.chunks import decode
from resumable_chat.protocol.records import Kind, Record, fence_token, kind

from .log.engines import ENGINES

Chunk = dict[str, Any]
LEASE_MS = 3000


ENGINE = os.environ.get("CHAT_TEST_ENGINE", "sqlite")
"""The engine that the protocol's tests run on."""


def fresh_log(folder: Path) -> AbstractAsyncContextManager[Log]:
    """An empty log."""
    return ENGINES[ENGINE](folder)


@asynccontextmanager
async def fresh_chat(folder: Path, log: Log | None = None, **options: Any) -> AsyncIterator[ResumableChat]:
    chat = ResumableChat(log or SqliteLog(folder / "log.db"), **{"lease_duration_ms": LEASE_MS, **options})
    try:
        yield chat
    finally:
        await chat.close()


def user(message_id: str, text: str = "hi") -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "content": text}]}


def assistant(message_id: str, text: str) -> dict[str, Any]:
    return {"id": message_id, "role": "assistant", "parts": [{"type": "text", "content": text}]}


class Words:
    """A source that says these words, and counts how often it was asked."""

    def __init__(self, *words: str, gate: asyncio.Event | None = None, error: Exception | None = None) -> None:
        self.words = words
        self.gate = gate
        self.error = error
        self.calls = 0
        self.closed = asyncio.Event()
        self.started = asyncio.Event()

    async def __call__(self, messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Chunk]:
        self.calls += 1
        try:
            yield {"type": "TEXT_MESSAGE_START", "messageId": context.message_id, "role": "assistant"}
            for word in self.words:
                yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": word}
                self.started.set()
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
            yield {"type": "TEXT_MESSAGE_END", "messageId": context.message_id}
        finally:
            self.closed.set()


async def records_of(log: Log, stream: str) -> list[Record]:
    return [record async for batch in log.read(stream, 0) for record in batch]


async def story(log: Log, stream: str) -> list[str]:
    """The log in short: chunk types, CUSTOM names, and fences as their state."""
    told = []
    for record in await records_of(log, stream):
        found = kind(record)
        if found is Kind.DATA:
            chunk = decode(record.body) or {"type": "?"}
            told.append(chunk.get("name", chunk["type"]))
        elif found is Kind.FENCE:
            told.append(f"<{(fence_token(record) or '').split('-')[0]}>")
        else:
            told.append(found.value)
    return [line for line in told if line != "heartbeat"]


async def emptied(log: Log, stream: str) -> None:
    """Wait until nothing but a trim is readable; S2 carries trims out in its own time."""
    async with asyncio.timeout(20):
        while any(kind(record) is not Kind.TRIM for record in await records_of(log, stream)):
            await asyncio.sleep(0.05)


async def chunks_of(log: Log, stream: str) -> list[Chunk]:
    return [chunk for record in await records_of(log, stream) if (chunk := decode(record.body)) and not record.headers]


def frames(body: bytes) -> list[tuple[int, Chunk]]:
    """The events of a replay: ids and chunks."""
    found = []
    for event in body.decode().split("\n\n"):
        lines = event.split("\n")
        if lines[0].startswith("id: "):
            found.append((int(lines[0][4:]), json.loads(lines[1].removeprefix("data: "))))
    return found


async def replayed(chat: ResumableChat, stream: str, cursor: int | None = None) -> list[tuple[int, Chunk]]:
    """What a replay gives now, without waiting for more."""
    response = await chat.replay(stream, from_seq_num=cursor, live=False)
    return frames(await whole(response))


async def whole(response: Response) -> bytes:
    received = b""
    async for part in response.body_iterator:  # type: ignore[attr-defined]
        received += part
    return received


class Tab:
    """A live reader: ``async with Tab(chat, stream) as tab``."""

    def __init__(self, chat: ResumableChat, stream: str, cursor: int | None = None) -> None:
        self.chat, self.stream, self.cursor = chat, stream, cursor
        self.body = b""
        self.error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Tab:
        response = await self.chat.replay(self.stream, from_seq_num=self.cursor)
        self._task = asyncio.create_task(self._read(response))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, response: Response) -> None:
        iterator = response.body_iterator  # type: ignore[attr-defined]
        try:
            async for part in iterator:
                self.body += part
                self._changed.set()
        except Exception as error:  # noqa: BLE001 - what breaks a body off is looked at by the tests
            self.error = error
        finally:
            await iterator.aclose()
            self._changed.set()

    @property
    def frames(self) -> list[tuple[int, Chunk]]:
        return frames(self.body)

    @property
    def types(self) -> list[str]:
        return [chunk["type"] for _, chunk in self.frames]

    async def until(self, kind: str, *, times: int = 1, seconds: float = 15.0) -> list[tuple[int, Chunk]]:
        """Wait until so many chunks of this type, or the end of the body (``"end"``), have come."""
        async with asyncio.timeout(seconds):
            while self.types.count(kind) < times and not (self._task is not None and self._task.done()):
                self._changed.clear()
                await self._changed.wait()
        assert kind == "end" or kind in self.types, (kind, self.types, self.error)
        return self.frames
