"""Where a response goes: collected and sent whole, or streamed as it is made."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final, Protocol

from .errors import LambdaAsgiError
from .events import HttpEvent, RawHeaders, prelude
from .runtime_api import Next, ResponseStream, RuntimeApi

logger = logging.getLogger(__name__)

_PLAIN: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_TOO_LARGE: Final = b"The response is larger than Lambda can send whole. Stream it."

MAX_BUFFERED_BYTES: Final = 6_291_556
"""Bytes of a whole response, as JSON and with base64, that Lambda takes."""


class Reply(Protocol):
    """The receiver of one response: ``start``, any number of ``write``, then ``end`` or ``fail``."""

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Take status and headers."""
        ...

    async def write(self, data: bytes) -> None:
        """Take a part of the body. Raises StreamBroken when nobody reads it any more."""
        ...

    async def end(self) -> None:
        """The response is whole."""
        ...

    async def fail(self, error: BaseException) -> bool:
        """Break the response off. False: nothing has left yet, and another response may be started."""
        ...

    async def gone(self) -> None:
        """Return when nobody reads the response any more."""
        ...


class BufferedReply:
    """Collects the response and sends it whole."""

    def __init__(self, api: RuntimeApi, call: Next, event: HttpEvent) -> None:
        self._api = api
        self._call = call
        self._event = event
        self._status = 200
        self._headers: RawHeaders = ()
        self._body = bytearray()

    async def start(self, status: int, headers: RawHeaders) -> None:
        self._status, self._headers = status, headers

    async def write(self, data: bytes) -> None:
        if len(self._body) + len(data) > MAX_BUFFERED_BYTES:
            raise LambdaAsgiError(f"The response is over {MAX_BUFFERED_BYTES:,} bytes; stream it.")
        self._body += data

    async def end(self) -> None:
        payload = _payload(self._event.answer(self._status, self._headers, bytes(self._body)))
        if len(payload) > MAX_BUFFERED_BYTES:
            logger.error("the response has %d bytes, %d fit: stream it", len(payload), MAX_BUFFERED_BYTES)
            payload = _payload(self._event.answer(500, _PLAIN, _TOO_LARGE))
        await self._api.respond(self._call, payload)

    async def fail(self, error: BaseException) -> bool:
        self._body.clear()
        return False

    async def gone(self) -> None:
        await asyncio.get_running_loop().create_future()


def _payload(answer: dict[str, Any]) -> bytes:
    """Return the answer as JSON in UTF-8: escapes would make text of other scripts three times as large."""
    try:
        return json.dumps(answer, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, in a header
        return json.dumps(answer).encode()


class StreamedReply:
    """Sends every part at once. What is broken off ends with error trailers, so that it does not look whole."""

    def __init__(self, stream: ResponseStream) -> None:
        self._stream = stream
        self._begun = asyncio.Event()

    async def start(self, status: int, headers: RawHeaders) -> None:
        await self._stream.start(prelude(status, headers))
        self._begun.set()

    async def write(self, data: bytes) -> None:
        if data:
            await self._stream.write(data)

    async def end(self) -> None:
        await self._stream.end()

    async def fail(self, error: BaseException) -> bool:
        if not self._begun.is_set():
            return False
        await self._stream.fail(error)
        return True

    async def gone(self) -> None:
        await self._begun.wait()
        await self._stream.gone()
