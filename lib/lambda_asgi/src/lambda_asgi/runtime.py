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
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from . import logs
from .background import Background, background
from .context import EXTENSION, Invocation, LambdaContext
from .errors import InitError, RestoreFailed, RuntimeApiError, TooLate, UnknownEvent
from .events import HttpEvent
from .exchange import App, Exchange
from .lifespan import Lifespan
from .replies import BufferedReply, StreamedReply
from .runtime_api import Extension, Next, RuntimeApi
from .settings import Settings
from .snapstart import hooks

logger = logging.getLogger(__name__)

_MARGIN: Final = 1.0
"""Seconds before the deadline at which work behind a response is cancelled; half of it is for its clean-up.

At that half a response that is not there yet is given up, so that its client hears of it. Of time-outs under 2 s the
margin is a half.
"""

_SNAPSHOT_PATIENCE: Final = 60.0
"""Seconds that work handed over while the function starts may take before a snapshot; init may take 130 s then."""

_NEXT_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to get the next invocation on Managed Instances."""


def load(named: str) -> App:
    """Return the ASGI app ``module:attribute``. Raises InitError."""
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
        try:
            return await self._run(find_app)
        finally:
            await self._api.close()
            if self._extension is not None:
                await self._extension.close()

    async def _run(self, find_app: Callable[[], App]) -> int:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await self._register()
            app = find_app()
            lifespan = Lifespan(app)
            starting = asyncio.create_task(self._start(lifespan))
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                await self._end([starting], lifespan)
                return 0
            loops = starting.result()
        except RestoreFailed as failed:
            logger.exception("the function cannot be restored")
            await self._api.restore_error(failed.__cause__ or failed)
            return 1
        except Exception as error:
            logger.exception("the function cannot start")
            await self._api.init_error(error)
            return 1
        loops += [
            asyncio.create_task(self._serve(app, lifespan), name="serve") for _ in range(self._settings.concurrency)
        ]
        await asyncio.wait({*loops, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in loops:
            if task.done():
                logger.error("the runtime failed", exc_info=None if task.cancelled() else task.exception())
        stopping.cancel()
        await self._end(loops, lifespan)
        return 0 if self._stop.is_set() else 1

    async def _start(self, lifespan: Lifespan) -> list[asyncio.Task[None]]:
        """Start the app and the extension, and with SnapStart wait for a restore; return the extension's task, if any.

        Raises InitError, RestoreFailed and what a hook before the snapshot raises.
        """
        await lifespan.startup()
        if self._settings.snap_start:
            await self._work.drain(_SNAPSHOT_PATIENCE)
            await hooks.run_before_snapshot()
        loops = []
        if self._extension is not None:
            # Lambda takes its snapshot when the extensions are at rest, too.
            loops.append(asyncio.create_task(self._rest(self._extension), name="extension"))
        if self._settings.snap_start:
            await self._api.restore_next()
            try:
                await hooks.run_after_restore()
            except Exception as error:
                raise RestoreFailed("A hook after the restore failed.") from error
        return loops

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
                call = await self._next(api)
                deadline, margin = _deadline(call.deadline_ms)
                token = logs.request_id.set(call.request_id)
                tenant = logs.tenant_id.set(call.tenant_id)
                try:
                    await self._handle(api, call, app, lifespan, deadline, margin)
                except TooLate as late:
                    logger.warning("%s", late)
                except Exception as error:
                    logger.exception("an invocation failed")
                    with suppress(RuntimeApiError):
                        await api.invocation_error(call, error)
                finally:
                    if self._extension is not None and not self._settings.managed_instances:
                        self._answered[call.request_id].set()
                    logs.request_id.reset(token)
                    logs.tenant_id.reset(tenant)
                if self._extension is None and not self._settings.managed_instances:
                    await self._drain(deadline, margin)
        finally:
            await api.close()

    async def _next(self, api: RuntimeApi) -> Next:
        """Return the next invocation; on Managed Instances, where others are in flight, a refusal is tried again."""
        for pause in _NEXT_PAUSES if self._settings.managed_instances else ():
            try:
                return await api.next()
            except RuntimeApiError as error:
                logger.warning("asking for the next invocation failed, trying again in %g s: %s", pause, error)
            await asyncio.sleep(pause)
        return await api.next()

    async def _handle(
        self, api: RuntimeApi, call: Next, app: App, lifespan: Lifespan, deadline: float, margin: float
    ) -> None:
        if not self._settings.managed_instances:  # where X-Ray's SDKs look for it
            os.environ.pop("_X_AMZN_TRACE_ID", None)
            if call.trace_id:
                os.environ["_X_AMZN_TRACE_ID"] = call.trace_id
        try:
            event = HttpEvent(json.loads(call.event), LambdaContext(call), self._settings.base_path)
        except (UnknownEvent, ValueError) as error:
            logger.error("an event cannot be used: %s", error)
            await api.invocation_error(call, error)
            return
        event.scope["state"] = lifespan.state.copy()
        event.scope.setdefault("extensions", {})[EXTENSION] = Invocation(
            call.request_id,
            deadline,
            None if self._settings.managed_instances else deadline - margin,
            self._settings.streaming,
        )
        limits = deadline - margin / 2, deadline - margin / 4
        if not self._settings.streaming:
            await Exchange(event.scope, event.body, BufferedReply(api, call, event)).run(app, *limits)
            return
        stream = api.stream(call)
        try:
            await Exchange(event.scope, event.body, StreamedReply(stream)).run(app, *limits)
        finally:
            await stream.close()

    async def _rest(self, extension: Extension) -> None:
        """The extension: at rest when the response is out and the work behind it is done."""
        while True:
            event = await extension.next()
            if event.get("eventType") != "INVOKE":
                continue
            deadline, margin = _deadline(event["deadlineMs"])
            answered = self._answered[event["requestId"]]
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await answered.wait()
            del self._answered[event["requestId"]]
            await self._drain(deadline, margin)

    async def _drain(self, deadline: float, margin: float) -> None:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        await self._work.drain(left - margin, grace=min(margin, left) / 2)

    async def _end(self, loops: Sequence[asyncio.Task[Any]], lifespan: Lifespan) -> None:
        """SIGTERM: what is pending gets what is left, then everything is let go of."""
        left = self._settings.shutdown
        await self._work.drain(left / 4, grace=left / 2)
        for task in loops:
            task.cancel()
        await asyncio.wait(loops, timeout=left / 8)
        await lifespan.shutdown(left / 8)


def _deadline(at_ms: int) -> tuple[float, float]:
    """A deadline in ms since 1970 as the event loop's time, and the margin before it."""
    left = at_ms / 1000 - time.time()
    return asyncio.get_running_loop().time() + left, min(_MARGIN, max(0.0, left) / 2)
