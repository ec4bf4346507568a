"""The process of a function: init, invocations in one event loop, work behind responses, a clean end.

Lambda freezes an execution environment as soon as its runtime and all its extensions wait for their next event. So the
process is two of them: the runtime, which asks for the next invocation once a response is out, and an internal
extension, which asks for its next event only when the work behind that response is done. On Managed Instances nothing
is frozen: there are as many invocation loops as allowed, and no such extension.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Final

from . import logs
from .background import Background, background
from .context import EXTENSION, Invocation, LambdaContext
from .errors import InitError, RuntimeApiError, UnknownEvent
from .events import HttpEvent
from .exchange import App, Exchange
from .lifespan import Lifespan
from .replies import BufferedReply, StreamedReply
from .runtime_api import Extension, Next, RuntimeApi
from .settings import Settings

logger = logging.getLogger(__name__)

_ANSWER_MARGIN: Final = 0.5
"""Seconds before the deadline at which a response that is not there yet is given up, so that its client hears of it."""

_WORK_MARGIN: Final = 1.0
"""Seconds before the deadline at which work behind a response is cancelled; half of it is for its clean-up."""


def load(named: str) -> App:
    """The ASGI app ``module:attribute``. Raises InitError."""
    module, _, attribute = named.partition(":")
    try:
        app: App = getattr(import_module(module), attribute or "app")
    except (ImportError, AttributeError) as error:
        raise InitError(f"The app {named!r} cannot be imported: {error}. Set LAMBDA_ASGI_APP to module:app.") from error
    if not callable(app):
        raise InitError(f"{named!r} is not an ASGI app but {type(app).__name__}.")
    return app


class Runtime:
    """One execution environment, from init to its end."""

    def __init__(self, settings: Settings, *, work: Background = background) -> None:
        self._settings = settings
        self._work = work
        self._api = RuntimeApi(settings.runtime_api)
        self._extension: Extension | None = Extension(settings.runtime_api)
        self._answered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._stop = asyncio.Event()

    async def run(self, find_app: Callable[[], App]) -> int:
        """Serve until SIGTERM; the process's exit status."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        try:
            await self._register()
            app = find_app()
            lifespan = Lifespan(app)
            await lifespan.startup()
        except Exception as error:
            logger.exception("the function cannot start")
            await self._api.init_error(error)
            return 1
        loops = [
            asyncio.create_task(self._serve(app, lifespan), name="serve") for _ in range(self._settings.concurrency)
        ]
        if self._extension is not None:
            loops.append(asyncio.create_task(self._rest(self._extension), name="extension"))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({*loops, stopping}, return_when=asyncio.FIRST_COMPLETED)
        failed = next((task.exception() for task in loops if task.done() and task.exception() is not None), None)
        if failed is not None:
            logger.error("the runtime failed", exc_info=failed)
        stopping.cancel()
        await self._end(loops, lifespan)
        return 0 if failed is None else 1

    async def _register(self) -> None:
        """Become an extension; where that is not possible, the runtime itself waits for the work."""
        assert self._extension is not None
        try:
            # Managed Instances send no INVOKE to internal extensions; being one still brings SIGTERM.
            await self._extension.register(*([] if self._settings.managed_instances else ["INVOKE"]))
        except RuntimeApiError as error:
            logger.info("no internal extension here, responses may wait for what goes on behind them: %s", error)
            await self._extension.close()
            self._extension = None

    async def _serve(self, app: App, lifespan: Lifespan) -> None:
        api = RuntimeApi(self._settings.runtime_api)
        try:
            while True:
                call = await api.next()
                token = logs.request_id.set(call.request_id)
                try:
                    await self._handle(api, call, app, lifespan)
                except Exception as error:
                    logger.exception("an invocation failed")
                    with suppress(RuntimeApiError):
                        await api.invocation_error(call.request_id, error)
                finally:
                    if self._extension is not None and not self._settings.managed_instances:
                        self._answered[call.request_id].set()
                    logs.request_id.reset(token)
                if self._extension is None and not self._settings.managed_instances:
                    await self._drain(call.deadline_ms)
        finally:
            await api.close()

    async def _handle(self, api: RuntimeApi, call: Next, app: App, lifespan: Lifespan) -> None:
        if call.trace_id and not self._settings.managed_instances:
            os.environ["_X_AMZN_TRACE_ID"] = call.trace_id  # where X-Ray's SDKs look for it
        try:
            event = HttpEvent(json.loads(call.event), LambdaContext(call), self._settings.base_path)
        except (UnknownEvent, ValueError) as error:
            logger.error("an event cannot be used: %s", error)
            await api.invocation_error(call.request_id, error)
            return
        deadline = _loop_time(call.deadline_ms)
        event.scope["state"] = lifespan.state.copy()
        event.scope.setdefault("extensions", {})[EXTENSION] = Invocation(
            call.request_id,
            deadline,
            None if self._settings.managed_instances else deadline - _WORK_MARGIN,
            self._settings.streaming,
        )
        if not self._settings.streaming:
            await Exchange(event.scope, event.body, BufferedReply(api, call.request_id, event)).run(
                app, deadline - _ANSWER_MARGIN
            )
            return
        stream = api.stream(call.request_id)
        try:
            await Exchange(event.scope, event.body, StreamedReply(stream)).run(app, deadline - _ANSWER_MARGIN)
        finally:
            await stream.close()

    async def _rest(self, extension: Extension) -> None:
        """The extension: at rest when the response is out and the work behind it is done."""
        try:
            while True:
                event = await extension.next()
                if event.get("eventType") != "INVOKE":
                    continue
                answered = self._answered[event["requestId"]]
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(_loop_time(event["deadlineMs"])):
                        await answered.wait()
                del self._answered[event["requestId"]]
                await self._drain(event["deadlineMs"])
        finally:
            await extension.close()

    async def _drain(self, deadline_ms: int) -> None:
        left = _loop_time(deadline_ms) - asyncio.get_running_loop().time()
        await self._work.drain(left - _WORK_MARGIN, grace=_WORK_MARGIN / 2)

    async def _end(self, loops: list[asyncio.Task[None]], lifespan: Lifespan) -> None:
        """SIGTERM: what is pending gets what is left, then everything is let go of."""
        left = self._settings.shutdown
        await self._work.drain(left / 4, grace=left / 2)
        for task in loops:
            task.cancel()
        await asyncio.wait(loops, timeout=left / 8)
        await lifespan.shutdown(left / 8)
        await self._api.close()


def _loop_time(at_ms: int) -> float:
    """The event loop's time at a moment given in ms since 1970."""
    return asyncio.get_running_loop().time() + at_ms / 1000 - time.time()
