"""Connections to the Runtime API that are closed, stuck, or answered early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lambda_asgi import RuntimeApiError, StreamBroken
from lambda_asgi.errors import TooLate
from lambda_asgi.http1 import Connection
from lambda_asgi.runtime_api import Next, RuntimeApi

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CALL = Next("r", b"{}", 0, "", None, None, None, invocation_id="nonce")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def served(peer: Peer) -> AsyncIterator[tuple[str, int]]:
    """A peer that does to each connection what the test wants."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await peer(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1")
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_a_connection_closed_between_requests() -> None:
    """A peer that hung up while nothing was asked of it costs nothing: the next request opens a connection."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    async with served(once) as address:
        connection = Connection(*address)
        for _ in range(3):
            assert (await connection.request("GET", "/")).body == b"ok"
            await asyncio.sleep(0.05)
        await connection.close()


async def test_a_request_that_is_not_taken() -> None:
    """A peer that takes no bytes does not hold a request for longer than it may take."""
    over = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with served(deaf) as address, asyncio.timeout(10):
        connection = Connection(*address)
        with pytest.raises(RuntimeApiError, match=r"within 0\.2 s"):
            await connection.request("POST", "/", (), bytes(32 * 1024 * 1024), seconds=0.2)
        over.set()


async def test_closing_waits_for_nobody() -> None:
    """What a peer does not take is dropped with its connection, at once."""
    over = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with served(deaf) as address:
        stream = RuntimeApi(address).stream(CALL)
        await stream.start({"statusCode": 200})
        sending = asyncio.create_task(stream.write(bytes(32 * 1024 * 1024)))
        await asyncio.sleep(0.05)
        sending.cancel()
        transport: Any = stream._connection._writer
        await stream.close()
        assert transport.transport.get_write_buffer_size() == 0
        with pytest.raises(StreamBroken):
            await stream.write(b"more")
        await asyncio.wait_for(stream.gone(), 5)
        over.set()


async def test_a_stream_is_taken_as_slowly_as_its_reader_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a whole stream may take to be acknowledged is for the invocation's deadline to say."""
    for call in (Connection.request, Connection.finish):
        if "seconds" in (call.__kwdefaults__ or {}):
            monkeypatch.setitem(call.__kwdefaults__, "seconds", 0.05)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    async with served(slow) as address:
        stream = RuntimeApi(address).stream(CALL)
        await stream.start({"statusCode": 200})
        await stream.end()


@pytest.mark.parametrize("value", ["a\r\nb", "\ud83d", "\0"])
async def test_what_a_header_cannot_say_is_a_runtime_api_error(value: str) -> None:
    """The library below never raises an error of its own kind, and the connection can be used again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)

    async with served(answer) as address:
        connection = Connection(*address)
        with pytest.raises(RuntimeApiError):
            await connection.request("POST", "/", [("X-Odd", value)])
        assert (await connection.request("GET", "/")).body == b"ok"
        await connection.close()


async def test_an_answer_that_comes_too_late_is_told_apart() -> None:
    """410 means that Lambda has given the invocation up."""

    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}")

    async with served(gone) as address:
        api = RuntimeApi(address)
        with pytest.raises(TooLate):
            await api.respond(CALL, b"{}")
        await api.close()


async def test_errors_as_headers_can_say_them() -> None:
    """Names and texts of errors that are no ASCII, have no text or no end are reported all the same."""

    class Größe(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    seen: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with served(take) as address:
        api = RuntimeApi(address)
        await api.invocation_error(CALL, Größe())
        await api.invocation_error(CALL, ValueError("x" * 1_000_000))
        await api.invocation_error(CALL, type("Bad\r\nName", (Exception,), {})("half \ud83d"))
        await api.close()
    assert b"Runtime.Gr" in seen[0]
    assert b"Runtime.Bad??Name" in seen[2]
    assert all(b"lambda-runtime-invocation-id: nonce" in head.lower() for head in seen)
    cause = json.loads(seen[0].split(b"XRay-Error-Cause: ")[1].split(b"\r\n")[0])
    assert cause["exceptions"][0]["type"] == "Größe" and cause["working_directory"]
    assert len(seen[1]) < 64 * 1024
