"""One invocation between the function that answers it and the front that waits for it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

_MOST_PARTS: Final = 64
"""Parts of a streamed response that wait for their reader; the function waits beyond that."""


class InvocationFailed(Exception):
    """The function gave no whole answer.

    ``kind`` is "error", "crash", "timeout", "init", "restore", "throttled" or "large".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Invocation:
    """An event, and the response to it as it comes."""

    def __init__(self, event: Any, timeout: float) -> None:
        self.request_id = str(uuid.uuid4())
        self.invocation_id = uuid.uuid4().hex
        """Named by the answer, so that a late one cannot reach a later invocation with the same request id."""
        self.event = json.dumps(event).encode()
        self.timeout = timeout
        self.deadline_ms = int((time.time() + timeout) * 1000)
        self.streaming = False
        self._started = asyncio.Event()
        self._parts = asyncio.Queue[bytes | None](_MOST_PARTS)
        self._failure: InvocationFailed | None = None
        self._failed = asyncio.Event()
        self.answered = False

    @property
    def begun(self) -> bool:
        """Whether there is a response, or an error in its place: the function may send no other."""
        return self._started.is_set() or self._failure is not None

    async def streams(self) -> bool:
        """Wait for the response to begin; whether it is streamed. Raises InvocationFailed."""
        await self._first(self._started.wait())
        if not self._started.is_set() and self._failure is not None:
            raise self._failure
        return self.streaming

    async def parts(self) -> AsyncIterator[bytes]:
        """The response's bytes as they come. Raises InvocationFailed when it breaks off."""
        while True:
            getting = asyncio.ensure_future(self._parts.get())
            await self._first(getting)
            if not getting.done():
                getting.cancel()
                assert self._failure is not None
                raise self._failure
            part = getting.result()
            if part is None:
                return
            yield part

    async def payload(self) -> bytes:
        """The whole response. Raises InvocationFailed."""
        return b"".join([part async for part in self.parts()])

    def begin(self, *, streaming: bool) -> None:
        """The response begins."""
        self.streaming = streaming
        self._started.set()

    async def add(self, part: bytes) -> None:
        """A part of the response."""
        await self._parts.put(part)

    async def end(self) -> None:
        """The response is whole."""
        self.answered = True
        await self._parts.put(None)

    def fail(self, kind: str, message: str) -> None:
        """There is no whole answer. Parts that came before it are still read."""
        if not self.answered and self._failure is None:
            self._failure = InvocationFailed(kind, message)
            self._failed.set()

    async def _first(self, waiting: Any) -> None:
        """Wait for this, or for the failure; what came before a failure comes first."""
        wanted = asyncio.ensure_future(waiting)
        failed = asyncio.ensure_future(self._failed.wait())
        try:
            await asyncio.sleep(0)
            await asyncio.wait({wanted, failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed.cancel()
            if wanted is not waiting:
                wanted.cancel()
