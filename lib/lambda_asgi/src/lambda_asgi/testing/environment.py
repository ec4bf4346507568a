"""One execution environment: a process group with its own Runtime and Extensions API, frozen whenever it is at rest."""

from __future__ import annotations

import asyncio
import enum
import json
import logging
import os
import signal
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .function import MAX_PAYLOAD, Function
from .http_server import Disconnected, HttpServer, Request, Response
from .invocations import Invocation, InvocationFailed
from .refusals import refuse, too_late

logger = logging.getLogger(__name__)

INIT_SECONDS: Final = 10.0
RESTORE_SECONDS: Final = 10.0


class State(enum.Enum):
    """What an environment does."""

    INIT = enum.auto()
    """It starts. Next: IDLE, once runtime and extensions wait for their first events; with SnapStart SNAPSHOT."""
    SNAPSHOT = enum.auto()
    """Init is over, and it waits to be restored, frozen. Next: RESTORING."""
    RESTORING = enum.auto()
    """It does what has to be done after a restore. Next: IDLE."""
    IDLE = enum.auto()
    """All wait for events; frozen, but for Managed Instances. Next: BUSY, by an invocation."""
    BUSY = enum.auto()
    """An invocation, or work behind its response. Next: IDLE."""
    ENDING = enum.auto()
    """It was told to end, and is not frozen any more."""
    DEAD = enum.auto()
    """The process ended."""


class Environment:
    """One environment. Made by ``LambdaHost``; tests look at ``pid``, ``state``, ``invocations`` and call ``kill``."""

    def __init__(self, function: Function, output: Path, changed: Callable[[], None]) -> None:
        self.function = function
        self.state = State.INIT
        self.invocations = 0
        self.init_seconds = 0.0
        self.failure = ""
        self._output = output
        self._changed = changed
        self._server = HttpServer(self._handle)
        self._process: asyncio.subprocess.Process | None = None
        self._runtimes: deque[asyncio.Future[Invocation]] = deque()
        self._extensions: dict[str, list[str]] = {}
        self._resting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._running: dict[str, Invocation] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._restored: asyncio.Future[None] | None = None
        self._began = 0.0
        self._last: Invocation | None = None

    @property
    def pid(self) -> int:
        """The process group's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def managed(self) -> bool:
        """Whether it is a Managed Instance."""
        return self.function.concurrency is not None

    @property
    def free(self) -> bool:
        """Whether it can take an invocation now."""
        return self.state is State.IDLE or (self.managed and self.state is State.BUSY and bool(self._runtimes))

    async def start(self) -> None:
        """Start the process and wait until it is at rest. Raises InvocationFailed ("init")."""
        await self._server.__aenter__()
        function = self.function
        self._began = time.monotonic()
        try:
            with self._output.open("ab") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *function.command,
                    cwd=function.task_root,
                    env=function.variables(self._server.port),
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            self.state = State.DEAD
            raise InvocationFailed("init", f"{function.command[0]} cannot be executed: {error}") from error
        self._watch = asyncio.create_task(self._wait_for_end())
        await self._until_ready("init", INIT_SECONDS)
        if self.state is State.SNAPSHOT:
            await asyncio.sleep(function.snap_start or 0.0)
            await self._restore()

    async def _until_ready(self, phase: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            self.failure = f"{phase} took over {seconds:g} s"
        if self.failure or self.state is State.DEAD:
            self.kill()
            raise InvocationFailed(phase, self.failure or "the process ended")

    async def _restore(self) -> None:
        assert self._restored is not None
        self._ready.clear()
        self.state = State.RESTORING
        self._signal(signal.SIGCONT)
        self._restored.set_result(None)
        await self._until_ready("restore", RESTORE_SECONDS)

    def give(self, invocation: Invocation) -> None:
        """Hand over an invocation; only when ``free``."""
        self.state = State.BUSY
        self._signal(signal.SIGCONT)
        self.invocations += 1
        self._running[invocation.request_id] = invocation
        self._last = invocation
        loop = asyncio.get_running_loop()
        if self.managed:
            loop.call_later(invocation.timeout, invocation.fail, "timeout", "timed out, and goes on")
        else:
            self._timer = loop.call_later(invocation.timeout, self._time_out)
        self._runtimes.popleft().set_result(invocation)
        for name, events in self._extensions.items():
            if "INVOKE" in events:
                invoke = {
                    "eventType": "INVOKE",
                    "deadlineMs": invocation.deadline_ms,
                    "requestId": invocation.request_id,
                    "invokedFunctionArn": self._arn,
                    "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-0-0"},
                }
                self._resting.pop(name).set_result(invoke)

    def kill(self) -> None:
        """End it at once, as a crash of the machine would."""
        self._signal(signal.SIGKILL)

    async def close(self) -> None:
        """End it as Lambda does: SIGTERM if there is an extension, then SIGKILL."""
        if self._process is not None and self.state is not State.DEAD:
            self.state = State.ENDING
            if self._extensions:
                self._signal(signal.SIGCONT)
                self._signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.function.shutdown):
                        await self._process.wait()
            self._signal(signal.SIGKILL)
            await self._process.wait()
        if self._watch is not None:
            await self._watch
        await self._server.__aexit__()

    @property
    def _arn(self) -> str:
        return f"arn:aws:lambda:local:123456789012:function:{self.function.name}"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _time_out(self) -> None:
        self.failure = f"timed out after {self.function.timeout:.2f} seconds"
        for invocation in self._running.values():
            invocation.fail("timeout", self.failure)
        self.kill()

    async def _wait_for_end(self) -> None:
        assert self._process is not None
        status = await self._process.wait()
        self.state = State.DEAD
        for invocation in self._running.values():
            invocation.fail("crash", f"the process ended with {status}")
        self._running.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._ready.set()
        self._changed()

    def _settle(self) -> None:
        """Freeze it if everything in it waits for an event."""
        resting = len(self._runtimes) >= (self.function.concurrency or 1)
        if self.state is State.INIT and self._restored is not None:
            if len(self._resting) == len(self._extensions):
                self.init_seconds = time.monotonic() - self._began
                self.state = State.SNAPSHOT
                self._signal(signal.SIGSTOP)
                self._ready.set()
            return
        if not resting or len(self._resting) < len(self._extensions) or self.state in (State.ENDING, State.DEAD):
            if self.managed and self._runtimes:
                self._changed()
            return
        if self.state is State.INIT:
            self.init_seconds = time.monotonic() - self._began
        self._ready.set()
        if self._timer is not None:
            self._timer.cancel()
        self._running.clear()
        self.state = State.IDLE
        if not self.managed:
            self._signal(signal.SIGSTOP)
        self._changed()

    async def _handle(self, request: Request, response: Response) -> None:
        match request.method, request.target.strip("/").split("/"):
            case "GET", ["2018-06-01", "runtime", "invocation", "next"]:
                await self._next(request, response)
            case "POST", ["2018-06-01", "runtime", "invocation", request_id, "response"]:
                await self._respond(request, response, self._running.get(request_id))
            case "POST", ["2018-06-01", "runtime", "invocation", request_id, "error"]:
                await self._error(request, response, self._running.get(request_id))
            case "GET", ["2018-06-01", "runtime", "restore", "next"]:
                await self._wait_for_restore(request, response)
            case "POST", ["2018-06-01", "runtime", "init" | "restore" as phase, "error"]:
                await self._report(request, response, phase)
            case "POST", ["2020-01-01", "extension", "register"]:
                await self._register(request, response)
            case "GET", ["2020-01-01", "extension", "event", "next"]:
                await self._rest(request, response)
            case _:
                await refuse(response, 404, "NotFound", f"{request.method} {request.target}")

    async def _report(self, request: Request, response: Response, phase: str) -> None:
        said = (await request.body()).decode()
        if self.state is not (State.INIT if phase == "init" else State.RESTORING):
            await refuse(response, 403, "InvalidStateTransition", f"this is not the {phase} phase")
            return
        self.failure = said
        await response.whole(202)

    async def _wait_for_restore(self, request: Request, response: Response) -> None:
        await request.body()
        if self.function.snap_start is None or self._restored is not None:
            await refuse(response, 403, "InvalidStateTransition", "there is no snapshot to be restored from")
            return
        self._restored = asyncio.get_running_loop().create_future()
        self._settle()
        await self._restored
        await response.whole(200)

    async def _next(self, request: Request, response: Response) -> None:
        await request.body()
        if self.function.snap_start is not None and self.state is State.INIT:
            await refuse(response, 403, "InvalidStateTransition", "with SnapStart, restore/next comes first")
            return
        if not self.managed and not all(invocation.begun for invocation in self._running.values()):
            await refuse(response, 403, "InvalidStateTransition", "an invocation has no response yet")
            return
        waiting: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        self._runtimes.append(waiting)
        self._settle()
        invocation = await waiting
        await response.whole(
            200,
            [
                ("Content-Type", "application/json"),
                ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
                ("Lambda-Runtime-Invocation-Id", invocation.invocation_id),
                ("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms)),
                ("Lambda-Runtime-Invoked-Function-Arn", self._arn),
                ("Lambda-Runtime-Trace-Id", f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"),
            ],
            invocation.event,
        )

    async def _respond(self, request: Request, response: Response, invocation: Invocation | None) -> None:
        if await too_late(request, response, invocation, unnamed=self.function.unnamed_answers):
            return
        if invocation is None or invocation.begun:
            await request.body()
            await refuse(response, 400, "InvalidRequestID", "no such invocation is waiting for a response")
            return
        if request.header("lambda-runtime-function-response-mode").lower() != "streaming":
            payload = await request.body()
            if len(payload) > MAX_PAYLOAD:
                await refuse(response, 413, "RequestEntityTooLarge", "the response is over the limit")
                return
            invocation.begin(streaming=False)
            await invocation.add(payload)
            await invocation.end()
        else:
            invocation.begin(streaming=True)
            try:
                async for part in request.parts():
                    await invocation.add(part)
            except Disconnected:
                invocation.fail("crash", "the response broke off")
                raise
            if kind := request.trailers.get("lambda-runtime-function-error-type"):
                invocation.fail("error", kind)
            else:
                await invocation.end()
        await response.whole(202, [("Content-Type", "application/json")], b'{"status":"OK"}')

    async def _error(self, request: Request, response: Response, invocation: Invocation | None) -> None:
        if await too_late(request, response, invocation, unnamed=self.function.unnamed_answers):
            return
        said = (await request.body()).decode()
        if invocation is None or invocation.begun:
            await refuse(response, 400, "InvalidRequestID", "no such invocation is waiting for a response")
            return
        invocation.fail("error", said)
        await response.whole(202, [("Content-Type", "application/json")], b'{"status":"OK"}')

    async def _register(self, request: Request, response: Response) -> None:
        events = json.loads(await request.body()).get("events", [])
        if self.state is not State.INIT or self._runtimes:
            await refuse(response, 403, "Extension.RegistrationClosed", "init is over")
        elif "SHUTDOWN" in events:
            await refuse(
                response, 403, "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN is for external ones"
            )
        elif self.managed and events:
            await refuse(response, 403, "Extension.InvalidEventType", "No events allowed for internal extensions")
        else:
            identifier = str(uuid.uuid4())
            self._extensions[identifier] = events
            about = {"functionName": self.function.name, "functionVersion": "$LATEST", "handler": self.function.handler}
            await response.whole(200, [("Lambda-Extension-Identifier", identifier)], json.dumps(about).encode())

    async def _rest(self, request: Request, response: Response) -> None:
        await request.body()
        identifier = request.header("lambda-extension-identifier")
        if identifier not in self._extensions:
            await refuse(response, 403, "Extension.UnknownExtensionIdentifier", "register first")
            return
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._resting[identifier] = waiting
        self._settle()
        await response.whole(200, [("Content-Type", "application/json")], json.dumps(await waiting).encode())
