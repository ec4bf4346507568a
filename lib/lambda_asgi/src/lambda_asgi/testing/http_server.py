"""A small HTTP/1.1 server over h11 that shows what others hide: trailers, parts as they come, and broken-off bodies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus

import h11

logger = logging.getLogger(__name__)

_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

Headers = Iterable[tuple[str, str]]
Handler = Callable[["Request", "Response"], Awaitable[None]]


class Disconnected(ConnectionError):
    """The peer is gone."""


class Request:
    """One request. Header names are in lower case; ``trailers`` are there once the body was read."""

    def __init__(self, connection: _Connection, head: h11.Request) -> None:
        self.method = head.method.decode()
        self.target = head.target.decode()
        self.headers = [(name.decode(), value.decode("latin-1")) for name, value in head.headers]
        self.trailers: dict[str, str] = {}
        self._connection = connection

    def header(self, name: str, default: str = "") -> str:
        """The first header of this name."""
        return next((value for found, value in self.headers if found == name), default)

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Disconnected when it breaks off."""
        while True:
            event = await self._connection.next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.trailers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                return
            else:
                raise Disconnected("the body broke off")

    async def body(self) -> bytes:
        """The whole body."""
        return b"".join([part async for part in self.parts()])


class Response:
    """The answer to one request: ``whole``, or ``start``, ``send`` and ``end``. Raises Disconnected."""

    def __init__(self, connection: _Connection) -> None:
        self.started = False
        self.ended = False
        self._connection = connection
        self._has_body = True

    async def whole(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Send everything at once."""
        length = [] if status in _BODILESS else [("Content-Length", str(len(body)))]
        await self.start(status, [*headers, *length])
        await self.send(body)
        await self.end()

    async def start(self, status: int, headers: Headers = ()) -> None:
        """Send status and headers."""
        self.started = True
        self._has_body = status not in _BODILESS and not self._connection.answers_head
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        await self._connection.send(h11.Response(status_code=status, headers=raw))

    async def send(self, data: bytes) -> None:
        """Send a part of the body; answers that cannot have one go without."""
        if data and self._has_body:
            await self._connection.send(h11.Data(data=data))

    async def end(self) -> None:
        """The response is whole."""
        self.ended = True
        await self._connection.send(h11.EndOfMessage())

    def abort(self) -> None:
        """Break the connection off, so that the peer sees that the response is not whole."""
        self.ended = True
        self._connection.abort()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.h11 = h11.Connection(h11.SERVER)
        self.answers_head = False
        self._reader = reader
        self._writer = writer

    async def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            event = self.h11.next_event()
            if event is not h11.NEED_DATA:
                return event
            try:
                self.h11.receive_data(await self._reader.read(65536))
            except OSError as error:
                raise Disconnected(str(error)) from error

    async def send(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        if self._writer.is_closing():
            raise Disconnected("the connection is closed")
        data = self.h11.send(event)
        try:
            if data:
                self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Disconnected(str(error)) from error

    def abort(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass
        except asyncio.CancelledError:
            self.abort()
            raise


class HttpServer:
    """``async with HttpServer(handler) as server``: serves on ``server.port`` of 127.0.0.1 until left."""

    def __init__(self, handler: Handler, *, port: int = 0) -> None:
        self.port = port
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> HttpServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        connection = _Connection(reader, writer)
        try:
            while await self._one(connection):
                connection.h11.start_next_cycle()
        except (Disconnected, h11.ProtocolError) as error:
            logger.debug("a connection ended: %s", error)
            connection.abort()
        except asyncio.CancelledError:
            connection.abort()
        except Exception:
            logger.exception("a handler failed")
            connection.abort()
        finally:
            self._connections.discard(task)
            await connection.close()

    async def _one(self, connection: _Connection) -> bool:
        head = await connection.next_event()
        if not isinstance(head, h11.Request):
            return False
        connection.answers_head = head.method == b"HEAD"
        request, response = Request(connection, head), Response(connection)
        await self._handler(request, response)
        if not response.started:
            await response.whole(500, [("Content-Type", "text/plain")], b"no answer\n")
        if connection.h11.their_state is h11.SEND_BODY:
            await request.body()
        return connection.h11.our_state is h11.DONE and connection.h11.their_state is h11.DONE
