"""HTTP/1.1 to the Runtime API, over h11: it can send trailers, which clients at large cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import h11

from .errors import RuntimeApiError

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One connection, opened when first used and again after it was closed. One request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._h11: h11.Connection | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(
        self,
        method: str,
        target: str,
        headers: Headers = (),
        body: bytes = b"",
        *,
        seconds: float | None = ANSWER_SECONDS,
    ) -> Answer:
        """Send a request and wait for the answer, for ``seconds`` (None: for ever). Raises RuntimeApiError."""
        try:
            async with asyncio.timeout(seconds):
                await self.begin(method, target, [*headers, ("Content-Length", str(len(body)))])
                if body:
                    await self.send(body)
                return await self.finish()
        except TimeoutError as error:
            await self.close()
            raise RuntimeApiError(f"The Runtime API did not answer within {seconds} s.") from error

    async def begin(self, method: str, target: str, headers: Headers) -> None:
        """Send the head of a request. Raises RuntimeApiError."""
        try:
            await self._open()
        except (OSError, TimeoutError) as error:
            raise RuntimeApiError(
                f"The Runtime API at {self._host}:{self._port} cannot be reached: {error}."
            ) from error
        host = ("Host", f"{self._host}:{self._port}")
        await self._send(lambda: h11.Request(method=method, target=target, headers=[host, *headers]))

    async def send(self, data: bytes) -> None:
        """Send a part of the body; waits while the peer does not take it. Raises RuntimeApiError."""
        await self._send(lambda: h11.Data(data=data))

    async def finish(self, trailers: Iterable[tuple[str, str]] = ()) -> Answer:
        """End the request and wait for its answer, for as long as the caller lets it. Raises RuntimeApiError."""
        await self._send(lambda: h11.EndOfMessage(headers=list(trailers)))
        try:
            return await self._answer()
        except (OSError, h11.ProtocolError) as error:
            await self.close()
            raise RuntimeApiError(f"The connection to the Runtime API broke: {error}.") from error

    async def gone(self) -> None:
        """Return once the peer has closed the connection or answers early. For requests whose body is being sent."""
        if self._reader is None or self._h11 is None:
            return
        try:
            self._h11.receive_data(await self._reader.read(65536))
        except (OSError, h11.ProtocolError):
            pass

    async def close(self) -> None:
        """Close the connection, with what the peer has not taken; the next request opens another."""
        writer, self._writer, self._h11 = self._writer, None, None
        if writer is not None:
            writer.transport.abort()
            try:
                await writer.wait_closed()
            except OSError:
                pass

    async def _open(self) -> None:
        idle = self._h11 is not None and self._h11.our_state is h11.IDLE
        if not idle or (self._reader is not None and self._reader.at_eof()):
            await self.close()
        if self._writer is None:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
            self._h11 = h11.Connection(h11.CLIENT)

    async def _send(self, make: Callable[[], h11.Request | h11.Data | h11.EndOfMessage]) -> None:
        # h11 checks what a message says when it is made, too.
        if self._writer is None or self._h11 is None:
            raise RuntimeApiError("The connection to the Runtime API was closed.")
        try:
            data = self._h11.send(make())
            if data:
                self._writer.write(data)
            await self._writer.drain()
        except (OSError, h11.ProtocolError, UnicodeError) as error:
            await self.close()
            raise RuntimeApiError(f"The connection to the Runtime API broke: {error}.") from error

    async def _answer(self) -> Answer:
        assert self._h11 is not None and self._reader is not None
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                self._h11.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionError("it was closed before the answer")
        assert head is not None
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        else:
            await self.close()
        return Answer(
            head.status_code, {name.decode(): value.decode("latin-1") for name, value in head.headers}, bytes(body)
        )
