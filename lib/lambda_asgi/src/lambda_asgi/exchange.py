"""One request through an ASGI app (https://asgi.readthedocs.io/en/latest/specs/www.html)."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from .errors import BrokenOff, LambdaAsgiError, RuntimeApiError, StreamBroken
from .replies import Reply

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_GRACE: Final = 0.1
"""Seconds that a cancelled app has to unwind when the process ends."""

_PLAIN: Final = ((b"content-type", b"text/plain; charset=utf-8"),)


class State(enum.Enum):
    """How far the response is."""

    WAITING = enum.auto()
    """Nothing was sent. Next: BODY, by ``http.response.start``: status and headers leave at once."""
    BODY = enum.auto()
    """Parts of the body leave as they come. Next: DONE, by a part without ``more_body``."""
    DONE = enum.auto()
    """The response is whole, or broken off."""


class Exchange:
    """One request, and the state of its response."""

    def __init__(self, scope: Scope, body: bytes, reply: Reply) -> None:
        self._scope = scope
        self._body: bytes | None = body
        self._reply = reply
        self._state = State.WAITING
        self._over = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._last = 0.0
        self._lost: Exception | None = None

    async def run(self, app: App, deadline: float, last: float) -> None:
        """Have the app answer by the loop time ``deadline``. Whatever it does, the request gets one answer.

        Our own error response must be sent by ``last`` (loop time). Raises what kept an answer from being handed over.
        """
        self._last = last
        self._watcher = asyncio.create_task(self._watch())
        loop = asyncio.get_running_loop()
        answering = loop.create_task(_call(app, self._scope, self._receive, self._send))
        try:
            await asyncio.wait({answering}, timeout=max(0.0, deadline - loop.time()))
        except asyncio.CancelledError as cancelled:
            answering.cancel()
            await asyncio.wait({answering}, timeout=_GRACE)
            await self._broken(cancelled, 503, "The server is shutting down.")
            raise
        finally:
            self._over.set()
            await self._stop_watching()
        if not answering.done():
            answered = self._state is State.DONE
            logger.error(
                "the app %s the deadline", "answered, and went on until" if answered else "did not answer before"
            )
            await self._give_up(answering, (last - deadline) / 2)
            return
        error = answering.result()
        if error is not None and not isinstance(error, Exception | asyncio.CancelledError):
            await self._broken(error, 500, "Internal Server Error")
            raise error
        if error is not None:
            if error is not self._lost:
                self._tell(error)
            await self._broken(error, 500, "Internal Server Error")
        elif self._state is not State.DONE:
            logger.error("the app returned without a whole response")
            await self._broken(LambdaAsgiError("the app's response is not whole"), 500, "Internal Server Error")
        if self._lost is not None:
            raise self._lost

    async def _give_up(self, answering: asyncio.Task[BaseException | None], grace: float) -> None:
        """Cancel the app at its deadline, and answer in its place even if it goes on."""
        answering.cancel()
        # An app that ends its response itself may do so, but one that ignores its cancellation is not waited for.
        await asyncio.wait({answering}, timeout=max(0.0, grace))
        error = answering.result() if answering.done() and not answering.cancelled() else None
        await self._broken(error or TimeoutError(), 504, "The function ran out of time.")
        if self._lost is not None:
            raise self._lost

    async def _watch(self) -> None:
        await self._reply.gone()
        self._over.set()

    async def _stop_watching(self) -> None:
        """The watcher reads from the connection that the end of the response is answered on."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait({watcher})

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._state is State.WAITING and kind == "http.response.start":
            await self._reply.start(message["status"], [(bytes(n), bytes(v)) for n, v in message.get("headers", ())])
            self._state = State.BODY
        elif self._state is State.BODY and kind == "http.response.body":
            await self._reply.write(b"" if self._scope.get("method") == "HEAD" else message.get("body", b""))
            if not message.get("more_body", False):
                await self._end()
        elif self._state is State.DONE:
            raise StreamBroken("The response is over.")
        else:
            raise LambdaAsgiError(f"The app sent {kind!r} while the response was in state {self._state.name}.")

    async def _end(self) -> None:
        self._state = State.DONE
        self._lost = RuntimeApiError("The Runtime API did not take the response in time.")
        await self._stop_watching()
        try:
            await self._reply.end()
        except StreamBroken:
            self._lost = None
            raise
        except Exception as error:
            self._lost = error
            raise
        self._lost = None
        self._over.set()

    def _tell(self, error: BaseException) -> None:
        if isinstance(error, BrokenOff):
            logger.info("a response was broken off: %s", error)
        elif isinstance(error, StreamBroken):
            logger.info("the reader of a response is gone: %s", error)
        else:
            logger.error("exception in the ASGI app", exc_info=error)

    async def _broken(self, error: BaseException, status: int, text: str) -> None:
        """Break off what has left, or answer with ``status``."""
        if self._state is State.DONE:
            return
        begun = self._state is State.BODY
        self._state = State.DONE
        await self._stop_watching()
        try:
            async with asyncio.timeout_at(self._last):
                if not await self._reply.fail(error):
                    await self._reply.start(status, _PLAIN)
                    await self._reply.write(text.encode())
                    await self._reply.end()
        except (StreamBroken, TimeoutError) as broken:
            if begun:
                logger.info("the reader of a response is gone: %r", broken)
            else:
                self._lost = RuntimeApiError(f"The response could not be handed over: {broken!r}.")
        except Exception as failed:  # noqa: BLE001 - raised by ``run``
            self._lost = failed


async def _call(app: App, scope: Scope, receive: Receive, send: Send) -> BaseException | None:
    """Call the app and return what it raised, also what asyncio would raise out of its loop at once."""
    try:
        await app(scope, receive, send)
    except asyncio.CancelledError as cancelled:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return cancelled  # the app waited for something that was cancelled
    except BaseException as error:  # noqa: BLE001 - told, or raised, once the request has its answer
        return error
    return None
