"""A Bedrock endpoint on loopback: converse-stream in the AWS event stream format, as scripted.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html describes the format: a prelude (total
length, length of the headers, CRC of both), headers, the payload, and a CRC of all.
"""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Exchange"], Awaitable[None]]


def message(payload: Any, **headers: str) -> bytes:
    """One message of the event stream; ``headers`` with ``_`` for ``-``, each behind a colon."""
    encoded = b""
    for name, value in headers.items():
        key = f":{name.replace('_', '-')}".encode()
        encoded += struct.pack("!B", len(key)) + key + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(encoded) + len(body), len(encoded))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + encoded + body
    return whole + struct.pack("!I", zlib.crc32(whole))


@dataclass
class Exchange:
    """One request, and the means to answer it event by event."""

    target: str
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def open(self, status: str = "200 OK", kind: str = "application/vnd.amazon.eventstream", **more: str) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n{extra}\r\n"
        self.writer.write(head.encode())
        await self.writer.drain()

    async def raw(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def event(self, kind: str, **payload: Any) -> None:
        await self.raw(message(payload, message_type="event", event_type=kind, content_type="application/json"))

    async def exception(self, kind: str, text: str) -> None:
        await self.raw(
            message({"message": text}, message_type="exception", exception_type=kind, content_type="application/json")
        )

    async def delta(self, index: int = 0, **delta: Any) -> None:
        await self.event("contentBlockDelta", contentBlockIndex=index, delta=delta)

    async def text(self, *pieces: str) -> None:
        for piece in pieces:
            await self.delta(text=piece)

    async def stop(self, reason: str = "end_turn", usage: Any = None) -> None:
        await self.event("contentBlockStop", contentBlockIndex=0)
        await self.event("messageStop", stopReason=reason)
        usage = usage or {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
        await self.event("metadata", usage=usage, metrics={"latencyMs": 5})

    async def close(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def fail(self, status: str, code: str, text: str) -> None:
        await self.open(status, "application/json", x_amzn_ErrorType=code)
        await self.raw(json.dumps({"message": text}).encode())
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
    endpoint_url: str
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def bedrock_server(*scripts: Script) -> AsyncIterator[Served]:
    """Answers the n-th request with the n-th script (the last one again for those after)."""
    served = Served("")
    tasks: set[asyncio.Task[Any]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")
                length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
                body = json.loads(await reader.readexactly(length))
                exchange = Exchange(lines[0].split()[1], body, reader, writer)
                served.exchanges.append(exchange)
                await scripts[min(len(served.exchanges), len(scripts)) - 1](exchange)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    served.endpoint_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
