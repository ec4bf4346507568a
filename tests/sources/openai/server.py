"""A server that speaks the wire format of chat completions over a bare socket, chunk by chunk, as scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the means to answer it byte by byte."""

    head: str
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def open(self, status: str = "200 OK", kind: str = "text/event-stream", **headers: str) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n{extra}\r\n"
        self.writer.write(head.encode())
        await self.writer.drain()

    async def raw(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def event(self, value: Any) -> None:
        await self.raw(f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode())

    async def delta(self, finish: str | None = None, **delta: Any) -> None:
        await self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    async def close(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def fail(self, status: str, body: Any, **headers: str) -> None:
        await self.open(status, "application/json", **headers)
        await self.raw(body if isinstance(body, bytes) else json.dumps(body).encode())
        await self.close()

    def cut(self) -> None:
        """Break the connection off without a word."""
        self.writer.transport.abort()

    async def hung_up(self) -> None:
        """Return when the caller has closed the connection."""
        while await self.reader.read(1024):
            pass


@dataclass
class Served:
    base_url: str
    exchanges: list[Exchange] = field(default_factory=list)


@asynccontextmanager
async def openai_server(*scripts: Script) -> AsyncIterator[Served]:
    """Answers the n-th request with the n-th script (the last one again for those after)."""
    served = Served("")
    tasks: set[asyncio.Task[Any]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                exchange = Exchange(head, json.loads(await reader.readexactly(length)), writer, reader)
                served.exchanges.append(exchange)
                await scripts[min(len(served.exchanges), len(scripts)) - 1](exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    served.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
