"""The body of a replay: frames as they come, keep-alives in silence, and an end that clients understand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..engine.reading import Reading
from ..engine.subscription import SubscriberCut
from ..errors import ChatError
from ..wire.sse import HEADERS, KEEP_ALIVE, MEDIA_TYPE, OPENED, slices

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 15.0
"""Seconds of silence before a comment is sent. Clients give a stream up after three times as long."""


class BodyBroken(Exception):
    """The body is broken off on purpose, so that clients reconnect instead of settling."""


class ReplayResponse(StreamingResponse):
    """Server-sent events of one reading, which ends with the response, even if its body never began."""

    def __init__(self, reading: Reading, *, live: bool, ends_at: float | None) -> None:
        super().__init__(body(reading, live=live, ends_at=ends_at), media_type=MEDIA_TYPE, headers=HEADERS)
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reading.leave()


async def body(reading: Reading, *, live: bool, ends_at: float | None) -> AsyncIterator[bytes]:
    """Yield the bytes of one replay.

    ``ends_at`` is the loop time at which the response must end. In the middle of an answer that breaks it off; else
    it ends after a keep-alive. Without ``live`` it ends after what the log holds now.

    Raises BodyBroken, also when the reader is too slow, the log fails, or this library does.
    """
    try:
        yield OPENED
        async for data in _events(reading, live=live, ends_at=ends_at):
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


async def _events(reading: Reading, *, live: bool, ends_at: float | None) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    subscription = await reading.subscription()
    if subscription is None:
        return

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
            yield KEEP_ALIVE
            return
        if not pieces:
            yield KEEP_ALIVE
