"""Servers that stand in the way of S2: silent, refusing, or between the log and the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from ..engines import S2_ENDPOINT


@asynccontextmanager
async def served(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[str]:
    """Serve a protocol, and yield the endpoint."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def silent() -> Any:
    """Serve connections that are accepted, and on which nothing is ever said."""
    return served(asyncio.Protocol)


class Refusing(asyncio.Protocol):
    """A server of HTTP/2 that answers every request with one status."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._h2 = H2Connection(H2Configuration(client_side=False))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._h2.initiate_connection()
        transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, RequestReceived):
                body = json.dumps({"code": "no", "message": "because"}).encode()
                headers = [(":status", str(self._status)), ("content-type", "application/json")]
                self._h2.send_headers(event.stream_id, headers)
                self._h2.send_data(event.stream_id, body, end_stream=True)
        self._transport.write(self._h2.data_to_send())


class Wire:
    """A way to a server that can go dead without a word, as a NAT forgets the connections of a frozen function."""

    def __init__(self, endpoint: str = S2_ENDPOINT) -> None:
        self.endpoint = ""
        self.opened = 0
        self._there = endpoint
        self._dead: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._hang_up()

    def die(self) -> None:
        """From now on nothing gets through what is open; new connections work."""
        self._dead |= set(range(self.opened))

    def lead_to(self, endpoint: str) -> None:
        """Close what is open; new connections lead to another server."""
        self._there = endpoint
        for task in self._tasks:
            task.cancel()

    async def _hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.opened = self.opened, self.opened + 1
        address = self._there.removeprefix("http://").split(":")
        there, to = await asyncio.open_connection(address[0], int(address[1]))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if number not in self._dead:
                    sink.write(data)
                    await sink.drain()
            if number not in self._dead:
                sink.close()

        tasks = {asyncio.create_task(pump(reader, to)), asyncio.create_task(pump(there, writer))}
        self._tasks |= tasks
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            to.close()
            writer.close()
