"""The body of a replay: frames as they come, keep-alives in silence, and an end that clients understand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..engine.tail import Subscription, Tail
from ..view.frames import HEADERS, KEEP_ALIVE, MEDIA_TYPE, OPENED

KEEP_ALIVE_SECONDS: Final = 15.0


class BodyBroken(Exception):
    """The body is broken off on purpose, in mid-run, so that clients reconnect instead of settling."""


class ReplayResponse(StreamingResponse):
    """Server-sent events of one subscription, which ends with the response, even if its body was never begun."""

    def __init__(self, tail: Tail, attaching: asyncio.Task[Subscription], *, live: bool, ends_at: float | None) -> None:
        frames = body(tail, attaching, live=live, ends_at=ends_at)
        super().__init__(frames, media_type=MEDIA_TYPE, headers=HEADERS)
        self._hub = tail
        self._attaching = attaching

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            leave(self._hub, self._attaching)


def leave(tail: Tail, attaching: asyncio.Task[Subscription]) -> None:
    """End the subscription, however far it got."""
    if not attaching.done():
        attaching.cancel()
    elif not attaching.cancelled() and attaching.exception() is None:
        tail.detach(attaching.result())


async def body(
    tail: Tail,
    attaching: asyncio.Task[Subscription],
    *,
    live: bool,
    ends_at: float | None,
    keep_alive: float = KEEP_ALIVE_SECONDS,
) -> AsyncIterator[bytes]:
    """The bytes of one replay.

    ``ends_at`` is the loop time at which the response's lease ends: an idle one then ends after a keep-alive, one
    in a running generation raises BodyBroken. Without ``live`` it ends after what the log holds now.
    Raises SubscriberCut and LogUnavailable, which break the body off too.
    """
    loop = asyncio.get_running_loop()
    try:
        yield OPENED
        subscription = await attaching
        while True:
            wait = keep_alive if live else 0.0
            if ends_at is not None:
                wait = max(0.0, min(wait, ends_at - loop.time()))
            data = await subscription.get(wait)
            if data is not None:
                yield data
            elif not live or subscription.ended:
                return
            if ends_at is not None and loop.time() >= ends_at:
                if tail.view.running:
                    raise BodyBroken("the response's lease is over")
                yield KEEP_ALIVE
                return
            if data is None:
                yield KEEP_ALIVE
    finally:
        leave(tail, attaching)
