"""The app's start and end (https://asgi.readthedocs.io/en/latest/specs/lifespan.html): in init, and at SIGTERM."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from .errors import InitError
from .exchange import App, Message

logger = logging.getLogger(__name__)


class Lifespan:
    """Runs an app's lifespan. Apps without one are left alone. ``state`` is what requests get copies of."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._events = asyncio.Queue[Message](maxsize=2)
        self._started = asyncio.Event()
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the app. Raises InitError if it says that it cannot start."""
        self._task = asyncio.create_task(self._run(), name="lifespan")
        self._events.put_nowait({"type": "lifespan.startup"})
        await self._started.wait()
        if self._failure is not None:
            raise InitError(f"The app could not start: {self._failure}")

    async def shutdown(self, seconds: float) -> None:
        """End the app, within ``seconds``."""
        if self._task is None or self._task.done():
            return
        self._events.put_nowait({"type": "lifespan.shutdown"})
        done, _ = await asyncio.wait({self._task}, timeout=seconds)
        if not done:
            logger.warning("the app did not shut down within %.1f s", seconds)
            self._task.cancel()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._events.get, self._send)
        except Exception as error:
            if self._started.is_set():
                logger.error("the app's lifespan failed", exc_info=error)
            else:
                logger.debug("the app has no lifespan: %r", error)
        finally:
            self._started.set()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self._failure = message.get("message") or "it gave no reason"
            self._started.set()
        elif kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.shutdown.failed":
            logger.error("the app could not shut down: %s", message.get("message") or "it gave no reason")
