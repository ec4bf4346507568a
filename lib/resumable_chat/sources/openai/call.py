"""One request to an OpenAI-compatible server, and the reading of its response within time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx

from ..answer import Chunk
from ..errors import SourceError
from ..patience import Patience
from .body import Body
from .completions import Completion
from .refusals import Unreachable

logger = logging.getLogger(__name__)

AFTER_FINISH: Final = 5.0
"""Seconds to wait for usage and ``[DONE]`` once the answer is whole."""
_AFTER_DONE: Final = 0.1
"""Seconds to wait for the end of the body behind ``[DONE]``, so that the connection can be used again."""
_CONNECT_TIMEOUT: Final = 10.0
_MAX_REFUSAL_BYTES: Final = 64 * 1024
_FAILURES: Final = (TimeoutError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)


def make_client(
    headers: Mapping[str, str], timeout: float, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Return a client without a read timeout: silence is counted in content, by the call; httpx would count bytes."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=min(_CONNECT_TIMEOUT, timeout)),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        headers=headers,
        transport=transport,
    )


class Call:
    """Feeds a response's bytes to a completion.

    ``patience`` is the time in seconds that may pass without content. Waiting counts, not what the reader of the
    chunks does in between; bytes without content do not start the time again.
    """

    def __init__(self, completion: Completion, *, patience: float) -> None:
        self.completion = completion
        self._patience = patience
        self._waits = Patience(patience)
        self._body = Body()
        self._response: httpx.Response | None = None
        self._bytes: AsyncIterator[bytes] | None = None
        self._failure: SourceError | None = None
        self._limit = patience
        self._began = False

    async def start(self, client: httpx.AsyncClient, url: str, body: Mapping[str, Any]) -> tuple[int, httpx.Headers]:
        """Send the request and return the response's status and headers. Raises SourceError."""
        request = client.build_request("POST", url, json=body)
        try:
            response = await self._waits.wait(client.send(request, stream=True))
        except _FAILURES as error:
            raise self._failed(error) from error
        self._response, self._bytes = response, response.aiter_bytes()
        return response.status_code, response.headers

    async def refusal(self) -> bytes:
        """Return the start of an error's body, as far as it comes."""
        received = b""
        try:
            while len(received) < _MAX_REFUSAL_BYTES and (data := await self._next()) is not None:
                received += data
        except SourceError as error:
            logger.debug("the body of a refusal was not complete: %s", error)
        return received

    async def first(self) -> list[Chunk] | None:
        """Return the first chunks, None if there are none. Until then the request can be repeated."""
        while (chunks := await self.read()) is not None:
            if chunks:
                return chunks
        return None

    async def read(self) -> list[Chunk] | None:
        """Return the next chunks, maybe none, or None at the answer's end. Raises SourceError if it is not whole."""
        if self._failure is not None:
            self._fail(self._failure)
            return None
        try:
            received = await self._next()
        except SourceError as error:
            self._fail(error)
            return None
        if self.completion.done:
            return None if received is None else []
        chunks: list[Chunk] = []
        try:
            for event in self._body.end() if received is None else self._body.feed(received):
                chunks += self.completion.feed(event)
        except SourceError as error:
            self._failure = error
        self._count(bool(chunks))
        if received is None and self._failure is None:
            self._end(bool(chunks))
        return chunks

    async def close(self) -> None:
        """Close the response, and with it the connection if the body was not read to its end."""
        self._waits.close()
        if self._response is not None:
            await self._response.aclose()

    def _count(self, content: bool) -> None:
        """Set the time to wait after bytes came: content starts it again, and so does the answer's end, once."""
        self._began = self._began or content
        limit = self._patience
        if self.completion.done:
            limit = _AFTER_DONE
        elif self.completion.whole:
            limit = min(self._patience, AFTER_FINISH)
        if limit != self._limit or (content and not self.completion.whole):
            self._waits.restart(limit)
        self._limit = limit

    def _end(self, content: bool) -> None:
        """Take note of the body's end."""
        if self._body.is_json and content:
            self.completion.whole = True
        self.completion.done = self.completion.whole
        if not self.completion.whole:
            what = "broke off in the middle of its answer" if self._began else "ended its answer before it began"
            self._failure = SourceError(f"the model's server {what}{self._stray()}")

    def _fail(self, error: SourceError) -> None:
        """Raise the error, unless the answer is whole."""
        if not self.completion.whole:
            raise error
        logger.info("behind a whole answer: %s", error)

    async def _next(self) -> bytes | None:
        assert self._bytes is not None
        try:
            return await self._waits.wait(anext(self._bytes, None))
        except _FAILURES as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> SourceError:
        if isinstance(error, TimeoutError):
            return SourceError(f"the model's server sent no content for {self._patience:g} s{self._stray()}")
        what = "broke off its answer" if self._began else "cannot be reached"
        return Unreachable(f"the model's server {what}: {error!r}{self._stray()}")

    def _stray(self) -> str:
        return f"; it also sent: {self._body.stray}" if self._body.stray else ""
