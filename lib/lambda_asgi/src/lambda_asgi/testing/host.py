"""Lambda on this machine, for tests: functions as processes behind a REST API and function URLs.

Unlike the emulators it passes bytes on as they come, answers as soon as the response is there, freezes environments at
rest (SIGSTOP), scales to several of them, and ends what takes too long.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import gateway
from .environment import Environment, State
from .function import MAX_PAYLOAD, Function
from .gateway import Front, HttpAnswer
from .http_server import Disconnected, HttpServer, Request, Response
from .invocations import Invocation, InvocationFailed

logger = logging.getLogger(__name__)

Authorizer = Callable[[Request], Mapping[str, Any] | None]
"""From a request to ``requestContext.authorizer``; None refuses it (401)."""

REST_SECONDS = 29.0
"""What a REST API waits for a response that is not streamed, by default."""

_PRELUDE_END = b"\0" * 8


@dataclass(frozen=True, slots=True)
class Route:
    """A method and path of the REST API; ``streaming`` is the integration's transfer mode."""

    method: str
    path: str
    function: str
    streaming: bool = False


class LambdaHost:
    """``async with LambdaHost(functions, routes) as host``: the REST API is at ``host.url`` until left."""

    def __init__(
        self, functions: Sequence[Function], routes: Sequence[Route] = (), *, authorizer: Authorizer | None = None
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._routes = {(route.method, route.path): route for route in routes}
        self._authorizer = authorizer
        self._environments: list[Environment] = []
        self._changed = asyncio.Condition()
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._folder = Path()
        self.url = ""
        self.function_urls: dict[str, str] = {}

    async def __aenter__(self) -> LambdaHost:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lambda-host-")))
        api = await self._stack.enter_async_context(HttpServer(self._api))
        self.url = f"http://127.0.0.1:{api.port}"
        for name, function in self._functions.items():
            if function.url is not None:
                server = await self._stack.enter_async_context(
                    HttpServer(partial(self._front, "url", name, function.url))
                )
                self.function_urls[name] = f"http://127.0.0.1:{server.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._end_all()
        finally:
            await self._stack.aclose()
            await self._end_all()  # requests that were on their way may have started others

    async def _end_all(self) -> None:
        await asyncio.gather(*(environment.close() for environment in self._environments))

    def environments(self, name: str) -> list[Environment]:
        """The living environments of a function, oldest first."""
        return [found for found in self._environments if found.function.name == name and found.state is not State.DEAD]

    def output(self, name: str) -> str:
        """What a function's processes wrote to stdout and stderr."""
        path = self._folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def invoke(self, name: str, event: Any) -> Invocation:
        """Invoke a function on a free environment, or a new one.

        Raises InvocationFailed ("throttled", "large", "init").
        """
        function = self._functions[name]
        free = next((found for found in self.environments(name) if found.free), None)
        if free is None:
            if len(self.environments(name)) >= function.max_environments:
                raise InvocationFailed("throttled", f"{name} has {function.max_environments} environments, all busy")
            free = Environment(function, self._folder / f"{name}.log", self._notify)
            self._environments.append(free)
            await free.start()
            if not free.free:  # another request was quicker
                return await self.invoke(name, event)
        invocation = Invocation(event, function.timeout)
        if len(invocation.event) > MAX_PAYLOAD:
            raise InvocationFailed("large", f"the event has {len(invocation.event):,} bytes")
        free.give(invocation)
        return invocation

    async def at_rest(self, name: str, seconds: float = 30.0) -> None:
        """Wait until no environment of a function does anything."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: all(found.state is State.IDLE for found in self.environments(name)))

    def _notify(self) -> None:
        task = asyncio.ensure_future(self._announce())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _api(self, request: Request, response: Response) -> None:
        route = self._routes.get((request.method, urlsplit(request.target).path))
        if route is None:
            await _say(response, gateway.refusal("rest", 404))
            return
        await self._front("rest", route.function, "streaming" if route.streaming else "buffered", request, response)

    async def _front(self, front: Front, name: str, mode: str, request: Request, response: Response) -> None:
        body = await request.body()
        authorizer = None
        if self._authorizer is not None:
            authorizer = self._authorizer(request)
            if authorizer is None:
                await _say(response, gateway.refusal(front, 401))
                return
        event = gateway.event(front, request.method, request.target, request.headers, body, authorizer)
        patience = REST_SECONDS if front == "rest" and mode == "buffered" else None
        try:
            async with asyncio.timeout(patience):
                invocation = await self.invoke(name, event)
                streams = await invocation.streams()
                if mode == "streaming" and streams:
                    await _pass_on(invocation, response)
                    return
                payload = await invocation.payload()
        except TimeoutError:
            await _say(response, gateway.refusal(front, 504))
            return
        except InvocationFailed as failed:
            logger.info("%s failed: %s", name, failed)
            statuses = {"large": 413, "throttled": 429, "timeout": 504 if front == "rest" else 502}
            status = statuses.get(failed.kind, 502)
            await _say(response, gateway.refusal(front, status))
            return
        # A response in the other mode than the front asked for has not the form that it expects.
        broken = streams or mode == "streaming"
        await _say(response, gateway.refusal(front, 502) if broken else gateway.answer(front, payload))


async def _pass_on(invocation: Invocation, response: Response) -> None:
    """Send a streamed response on as it comes. A client that leaves is not told to the function, as on AWS."""
    parts = invocation.parts()
    received = b""
    try:
        async for part in parts:
            received += part
            if _PRELUDE_END in received:
                break
        prelude, _, rest = received.partition(_PRELUDE_END)
        head = gateway.head(prelude)
    except (InvocationFailed, ValueError) as error:
        logger.info("a streamed response did not begin: %s", error)
        await _say(response, gateway.refusal("rest", 502))
        return
    try:
        try:
            await response.start(head.status, head.headers)
            if rest:
                await response.send(rest)
            async for part in parts:
                await response.send(part)
            await response.end()
        except Disconnected:
            with suppress(InvocationFailed):
                async for _ in parts:
                    pass
            raise
    except InvocationFailed as failed:
        logger.info("a streamed response broke off: %s", failed)
        response.abort()


async def _say(response: Response, answer: HttpAnswer) -> None:
    await response.whole(answer.status, answer.headers, answer.body)
