"""A browser tab, and the requests it makes: over connections that break anywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from starlette.responses import Response

from resumable_chat.transcript import StreamProcessor

from .loop import CURRENT, Process, VirtualLoop

PATIENCE = 12.0
"""Seconds after which a client gives a request up."""


Handle = Callable[[], Coroutine[Any, Any, Response]]
"""Has a process handle a request."""


class Broken(Exception):
    """The connection broke, or no answer came in time."""


class Connection:
    """One request to a process and its streamed response, as the client sees them."""

    def __init__(self, loop: VirtualLoop, process: Process) -> None:
        self._loop = loop
        self._process = process
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.status = 0

    async def open(self, handle: Handle) -> None:
        """Send the request and wait for the status. Raises Broken; the process may handle it all the same."""
        if self._process.dead:
            raise Broken
        answered = self._loop.create_future()
        self._server = self._process.task(self._serve(handle, answered))
        await asyncio.wait({answered}, timeout=PATIENCE)
        if not answered.done() or self._process.dead:
            raise Broken
        self.status = answered.result()

    async def _serve(self, handle: Handle, answered: Any) -> None:
        response = await handle()
        if not answered.done():
            answered.set_result(response.status_code)
        iterator: Any = getattr(response, "body_iterator", None)
        if iterator is None:
            return
        try:
            async for part in iterator:
                self._parts.put_nowait(part)
        except Exception:  # noqa: BLE001 - to the client, a body that breaks off is a connection that broke
            self._parts.put_nowait(None)
        else:
            self._parts.put_nowait(None)
        finally:
            await iterator.aclose()

    async def part(self) -> bytes | None:
        """The next bytes; None at the end."""
        return await self._parts.get()

    def leave(self) -> None:
        """The client goes; the server may not hear of it."""
        self._server.cancel()


class Tab:
    """One tab of one chat: what it shows, and the last event it got."""

    def __init__(self, name: str, loop: VirtualLoop, random: Random, note: Callable[[str], None]) -> None:
        assert CURRENT.get() is None
        self.name = name
        self.fold = StreamProcessor()
        self.cursor: int | None = None
        self.online = True
        self.events = 0
        self.problems: list[str] = []
        self._loop = loop
        self._random = random
        self._note = note
        self._connection: Connection | None = None
        self._buffer = b""
        self._reloads = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = json.loads(json.dumps(self.fold.messages))
        return shown

    async def watch(self, open_: Callable[[int | None], tuple[Process, Handle]]) -> None:
        """Follow the chat for ever, coming back with the cursor whenever the connection ends."""
        while True:
            while not self.online:
                await asyncio.sleep(0.2)
            asked, cursor = self._reloads, self.cursor
            process, handle = open_(cursor)
            connection = Connection(self._loop, process)
            try:
                await connection.open(handle)
                if asked != self._reloads:
                    connection.leave()
                elif connection.status == 200:
                    await self._read(connection)
                else:
                    self._note(f"{self.name} replay: {connection.status}")
            except Broken:
                pass
            await asyncio.sleep(self._random.uniform(0.02, 1.0))

    def drop(self, *, noticed: bool) -> None:
        """Lose the connection; with ``noticed`` the server hears of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection._parts.put_nowait(None)
            if noticed:
                connection.leave()

    def reload(self) -> None:
        """Forget everything, and come back without a cursor."""
        self.fold = StreamProcessor()
        self.cursor = None
        self._reloads += 1
        self.drop(noticed=True)

    async def _read(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = b""
        while self._connection is connection:
            part = await connection.part()
            if part is None or self._connection is not connection:
                return
            # The end of what arrived may be cut off anywhere.
            if self._random.random() < 0.01:
                self._take(part[: self._random.randrange(len(part))])
                self.drop(noticed=True)
                return
            self._take(part)

    def _take(self, part: bytes) -> None:
        self._buffer += part
        while b"\n\n" in self._buffer:
            event, self._buffer = self._buffer.split(b"\n\n", 1)
            lines = dict(line.split(b": ", 1) for line in event.split(b"\n") if not line.startswith(b":"))
            if b"data" in lines:
                self._event(int(lines[b"id"]) if b"id" in lines else None, json.loads(lines[b"data"]))

    def _event(self, at: int | None, chunk: dict[str, Any]) -> None:
        """Fold an event. One without an id belongs to the next one that has one."""
        if at is not None:
            if self.cursor is not None and at <= self.cursor and chunk["type"] != "MESSAGES_SNAPSHOT":
                self.problems.append(f"{self.name} got {chunk['type']} {at} after {self.cursor}")
            self.cursor = at
        self.events += 1
        self.fold.process(chunk, seq=at or 0, timestamp=0)

    def show(self, messages: list[dict[str, Any]]) -> None:
        self.fold.replace_messages(messages)
