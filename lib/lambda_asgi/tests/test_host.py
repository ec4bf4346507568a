"""The host is as strict as Lambda: what a runtime may not do there, it may not do here."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lambda_asgi.testing import Environment, Function, InvocationFailed, LambdaHost, Route
from lambda_asgi.testing.http_server import HttpServer, Request, Response

RUNTIME = "/2018-06-01/runtime/invocation"
CALLS = """
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, headers={}, body=None):
    api.request(method, path, body, headers)
    answer = api.getresponse()
    answer.read()
    return answer
invocation = {}
def respond(id, what="response", **headers):
    return call("POST", f"/2018-06-01/runtime/invocation/{id}/{what}", {**invocation, **headers}, b"{}").status
def next():
    headers = call("GET", "/2018-06-01/runtime/invocation/next").headers
    invocation["Lambda-Runtime-Invocation-Id"] = headers["Lambda-Runtime-Invocation-Id"]
    return headers["Lambda-Runtime-Aws-Request-Id"]
def say(*said):
    print(*said, flush=True)
"""


@asynccontextmanager
async def running(script: str, tmp_path: Path, **options: Any) -> AsyncIterator[LambdaHost]:
    """A runtime in a few lines, as a function named f."""
    (tmp_path / "runtime.py").write_text(CALLS + script)
    made = Function("f", "x.y", tmp_path, [sys.executable, "runtime.py"], **options)
    async with LambdaHost([made], [Route("GET", "/", "f")]) as host:
        yield host


async def test_an_invocation_has_one_answer(tmp_path: Path) -> None:
    """A second response, an error behind a response, and a response behind an error are refused."""
    script = """
id = next()
say("first", respond(id), respond(id), respond(id, "error"))
id = next()
say("second", respond(id, "error"), respond(id))
next()
"""
    async with running(script, tmp_path) as host:
        assert await (await host.invoke("f", {})).payload() == b"{}"
        await host.at_rest("f")
        with pytest.raises(InvocationFailed, match="error"):
            await (await host.invoke("f", {})).payload()
        await host.at_rest("f")
        assert host.output("f").splitlines() == ["first 202 400 400", "second 202 400"]


async def test_an_answer_names_its_invocation(tmp_path: Path) -> None:
    """One that names another invocation is too late, one that names none is refused, an error as well."""
    script = """
id = next()
other = {"Lambda-Runtime-Invocation-Id": "other"}
none = {"Lambda-Runtime-Invocation-Id": ""}
say(respond(id, **other), respond(id, "error", **other), respond(id, **none), respond(id))
next()
"""
    async with running(script, tmp_path) as host:
        assert await (await host.invoke("f", {})).payload() == b"{}"
        await host.at_rest("f")
        assert host.output("f").splitlines() == ["410 410 400 202"]


async def test_answers_without_a_name_can_be_let_through(tmp_path: Path) -> None:
    """Runtimes that do not know the id run as on Lambda; a wrong id is refused all the same."""
    script = """
id = next()
other = {"Lambda-Runtime-Invocation-Id": "other"}
none = {"Lambda-Runtime-Invocation-Id": ""}
say(respond(id, **other), respond(id, **none))
next()
"""
    async with running(script, tmp_path, unnamed_answers=True) as host:
        assert await (await host.invoke("f", {})).payload() == b"{}"
        await host.at_rest("f")
        assert host.output("f").splitlines() == ["410 202"]


async def test_next_without_an_answer(tmp_path: Path) -> None:
    """Who asks for the next invocation without having answered this one is refused."""
    script = """
next()
say(call("GET", "/2018-06-01/runtime/invocation/next").status)
"""
    async with running(script, tmp_path) as host:
        with pytest.raises(InvocationFailed, match="crash"):
            await (await host.invoke("f", {})).payload()
        assert host.output("f").splitlines() == ["403"]


async def test_extensions_register_in_init(tmp_path: Path) -> None:
    """After the runtime's first next, nothing can register as an extension."""
    script = """
import threading, time
waiting = threading.Thread(target=next, daemon=True)
waiting.start()
time.sleep(0.3)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
headers = {"Lambda-Extension-Name": "late"}
say(call("POST", "/2020-01-01/extension/register", headers, b'{"events": ["INVOKE"]}').status)
"""
    # A second extension keeps the environment from resting before the late one has asked.
    early = """
one = call("POST", "/2020-01-01/extension/register", {"Lambda-Extension-Name": "early"}, b'{"events": []}')
"""
    async with running(early + script, tmp_path) as host:
        with pytest.raises(InvocationFailed, match="init"):
            await host.invoke("f", {})
        assert host.output("f").splitlines() == ["403"]


async def test_a_command_that_cannot_be_executed(tmp_path: Path) -> None:
    """A wrong command is an init failure that names it, and leaves no environment behind."""
    made = Function("f", "x.y", tmp_path, [str(tmp_path / "nothing")], max_environments=1)
    async with LambdaHost([made]) as host:
        for _ in range(2):
            with pytest.raises(InvocationFailed, match="nothing cannot be executed"):
                await host.invoke("f", {})
        assert host.environments("f") == []


async def test_events_that_are_too_large(tmp_path: Path) -> None:
    """Over 6 MB, an event is refused."""
    async with running("next()", tmp_path) as host:
        with pytest.raises(InvocationFailed, match="large"):
            await host.invoke("f", {"body": "x" * 6_291_556})


async def test_requests_while_the_host_is_left(tmp_path: Path) -> None:
    """A request that comes while the host is being left leaves no process behind."""
    script = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
one = call("POST", "/2020-01-01/extension/register", {"Lambda-Extension-Name": "one"}, b'{"events": ["INVOKE"]}')
say("started")
import time
time.sleep(60)
"""
    async with AsyncExitStack() as stack, httpx.AsyncClient() as client:
        host = await stack.enter_async_context(running(script, tmp_path))
        first = asyncio.create_task(client.get(host.url))
        while host.output("f").count("started") < 1:
            await asyncio.sleep(0.02)
        leaving = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0.05)
        second = asyncio.create_task(client.get(host.url))
        while len(host._environments) < 2:
            await asyncio.sleep(0.02)
        pids = [await until_started(found) for found in host._environments]
        await leaving
        await asyncio.gather(first, second, return_exceptions=True)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def until_started(environment: Environment) -> int:
    while environment._process is None:
        await asyncio.sleep(0)
    return environment.pid


async def test_managed_instances_time_out_without_an_end(tmp_path: Path) -> None:
    """There, who waits hears of a time-out, and the process goes on."""
    script = """
import time
id = next()
time.sleep(1)
say(respond(id))
next()
"""
    async with running(script, tmp_path, concurrency=1, timeout=0.2) as host:
        with pytest.raises(InvocationFailed, match="timeout"):
            await (await host.invoke("f", {})).payload()
        await host.at_rest("f")
        assert host.output("f").splitlines() == ["400"]


async def test_closing_a_server_that_nobody_reads_from() -> None:
    """A client that does not read does not keep a server from being closed, nor its connection open."""

    async def answer(request: Request, response: Response) -> None:
        await response.whole(200, (), bytes(32 * 1024 * 1024))

    async with HttpServer(answer) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(1)
    writer.transport.abort()


async def test_a_rest_api_waits_no_longer_than_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that is not streamed must be there in 29 s, however long the function may run."""
    monkeypatch.setattr("lambda_asgi.testing.host.REST_SECONDS", 0.5)
    async with running("next(); import time; time.sleep(60)", tmp_path) as host, httpx.AsyncClient() as client:
        assert (await client.get(host.url)).status_code == 504
