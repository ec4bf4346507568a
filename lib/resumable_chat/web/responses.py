"""The body of a replay: frames as they come, keep-alives in silence, and an end that clients understand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..engine.reading import Reading
from ..engine.subscription import SubscriberCut
from ..errors import ChatError
from ..wire.sse import HEADERS, KEEP_ALIVE, MEDIA_TYPE, OPENED, slices
from .errors import NO_STORE

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 15.0
"""Seconds of silence before a comment is sent. Clients give a stream up after three times as long."""


class BodyBroken(Exception):
    """The body is broken off on purpose, so that clients reconnect instead of settling."""


@dataclass(frozen=True, slots=True)
class Format:
    """How the responses of a wire format look: ``opened`` comes first, at once, and ``keep_alive`` in silence."""

    media_type: str = MEDIA_TYPE
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)
    opened: bytes = OPENED
    keep_alive: bytes = KEEP_ALIVE


SSE: Final = Format()

JSON: Final = Format("application/json", NO_STORE, b"", b"")
"""A document, which has no room for anything else."""


class ReplayResponse(StreamingResponse):
    """The bytes of one reading, which ends with the response, even if its body never began."""

    def __init__(self, reading: Reading, *, live: bool, ends_at: float | None, form: Format = SSE) -> None:
        super().__init__(
            body(reading, live=live, ends_at=ends_at, form=form), media_type=form.media_type, headers=form.headers
        )
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reading.leave()


class BrokenResponse(StreamingResponse):
    """A body that breaks off at once, for clients that come back to a run and take any status but 200 for the end."""

    def __init__(self, reason: Exception) -> None:
        logger.warning("a replay was broken off: %s", reason)
        super().__init__(_broken(reason), media_type=MEDIA_TYPE, headers=HEADERS)


async def _broken(reason: Exception) -> AsyncIterator[bytes]:
    yield OPENED
    raise BodyBroken(str(reason)) from reason


async def body(reading: Reading, *, live: bool, ends_at: float | None, form: Format = SSE) -> AsyncIterator[bytes]:
    """Yield the bytes of one replay.

    ``ends_at`` is the loop time at which the response must end. In the middle of an answer that breaks it off; else
    it ends after a keep-alive. Without ``live`` it ends after what the log holds now.

    Raises BodyBroken, also when the reader is too slow, the log fails, or this library does.
    """
    try:
        if form.opened:
            yield form.opened
        async for data in _events(reading, live=live, ends_at=ends_at, keep_alive=form.keep_alive):
            yield data
    except SubscriberCut as cut:
        raise BodyBroken(str(cut)) from cut
    except ChatError as error:
        logger.warning("a replay was broken off: %s", error)
        raise BodyBroken(str(error)) from error
    except BodyBroken:
        raise
    except Exception as error:
        logger.exception("a replay failed")
        raise BodyBroken("an internal error") from error
    finally:
        reading.leave()


async def _events(reading: Reading, *, live: bool, ends_at: float | None, keep_alive: bytes) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    subscription = await reading.subscription()
    if subscription is None:
        raise BodyBroken("the log holds no such run")

    def must_end() -> bool:
        return ends_at is not None and loop.time() >= ends_at

    while True:
        wait = KEEP_ALIVE_SECONDS if live else 0.0
        if ends_at is not None:
            wait = max(0.0, min(wait, ends_at - loop.time()))
        pieces = await subscription.get(wait)
        for data in (part for piece in pieces for part in slices(piece)):
            yield data
            if must_end():
                raise BodyBroken("the response's lease is over before the reader has got everything")
        if subscription.is_over or (not live and not pieces):
            return
        if must_end():
            if reading.tail.view.running:
                raise BodyBroken("the response's lease is over in the middle of an answer")
            yield keep_alive
            return
        if not pieces and keep_alive:
            yield keep_alive
