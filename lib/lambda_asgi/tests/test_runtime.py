"""The runtime as a process under the host: responses, work behind them, freezing, time-outs, ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lambda_asgi.testing import InvocationFailed, LambdaHost, Route, State
from lambda_asgi.testing.gateway import event

from .functions import function, noted, open_gate

PATHS = (
    *("/echo", "/work", "/parts", "/large", "/zeros", "/binary", "/raise", "/nothing"),
    *("/sleep", "/block", "/exit", "/tick", "/wait-for-disconnect"),
    *("/cancelled", "/print", "/names", "/no-content", "/letters", "/deaf"),
)


def routes(*, streaming: bool) -> list[Route]:
    return [Route(method, path, "plain", streaming) for path in PATHS for method in ("GET", "HEAD", "POST")]


@asynccontextmanager
async def hosted(
    shared: Path, *, streaming: bool = False, logs_errors: bool = False, **options: Any
) -> AsyncIterator[tuple[LambdaHost, Any]]:
    """The app under the host, and a client of its REST API; its log shows a traceback only where one is expected."""
    plain = function(shared, streaming=streaming, url="streaming" if streaming else "buffered", **options)
    async with (
        LambdaHost([plain], routes(streaming=streaming)) as host,
        httpx.AsyncClient(base_url=host.url, timeout=20) as client,
    ):
        yield host, client
        assert ("Traceback" in host.output("plain")) == logs_errors, host.output("plain")


async def until(found: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not found():
            await asyncio.sleep(0.02)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("front", ["rest", "url"])
async def test_request_and_response(shared: Path, streaming: bool, front: str) -> None:
    """Method, query, body, lifespan state, deadline, status, repeated headers and cookies get through."""
    async with hosted(shared, streaming=streaming, timeout=20) as (host, client):
        base = host.url if front == "rest" else host.function_urls["plain"]
        response = await client.post(
            f"{base}/echo?a=1&b=%C3%A4", content="hällo", headers={"content-type": "text/plain"}
        )
        assert response.status_code == 201
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert response.headers["x-twice"].replace(" ", "") == "1,2"
        said = response.json()
        assert (said["method"], said["body"], said["state"]) == ("POST", "hällo", True)
        assert said["query"] in ("a=1&b=%C3%A4",)
        assert said["streaming"] is streaming and said["collects"]
        assert 0 < said["left"] <= 20 and abs(said["left"] - said["remaining"]) < 0.1


async def test_202_leaves_before_the_work_is_done(shared: Path) -> None:
    """The response is out at once; the environment is busy until the work is done, and frozen then."""
    async with hosted(shared) as (host, client):
        response = await client.post("/work?name=a&gate=work")
        assert response.status_code == 202
        assert noted(shared) == []
        assert host.environments("plain")[0].state is State.BUSY
        open_gate(shared, "work")
        await host.at_rest("plain")
        assert noted(shared) == ["a done"]


async def test_work_handed_over_at_the_start(shared: Path) -> None:
    """The first invocation waits for what was handed over before it; the response does not."""
    async with hosted(shared, environ={"WORK_AT_START": "1"}) as (host, client):
        assert (await client.get("/echo")).status_code == 201
        assert noted(shared) == []
        open_gate(shared, "start")
        await host.at_rest("plain")
        assert noted(shared) == ["start done"]


async def test_busy_environments_are_not_shared(shared: Path) -> None:
    """While work goes on behind a response, the next request gets an environment of its own, once."""
    async with hosted(shared) as (host, client):
        await client.post("/work?name=a&gate=work")
        first = (await client.get("/echo")).json()["pid"]
        open_gate(shared, "work")
        await host.at_rest("plain")
        assert len(host.environments("plain")) == 2
        assert (await client.get("/echo")).json()["pid"] != first
        assert noted(shared) == ["a done"]


async def test_an_environment_at_rest_is_frozen(shared: Path) -> None:
    """What was not handed to wait_until stands still between invocations, and goes on in the next one."""
    async with hosted(shared) as (host, client):
        await client.get("/tick")
        await host.at_rest("plain")
        before = len(noted(shared))
        await asyncio.sleep(0.4)
        assert len(noted(shared)) == before
        await client.get("/sleep?seconds=0.3")
        assert len(noted(shared)) > before


async def test_parts_arrive_as_they_are_made(shared: Path) -> None:
    """Each part of a streamed response is read before the app makes the next one."""
    async with hosted(shared, streaming=True) as (host, client):
        open_gate(shared, "0")
        seen = []
        async with client.stream("GET", "/parts?n=3&gates=1") as response:
            async for part in response.aiter_text():
                seen.append(part)
                open_gate(shared, str(len(seen)))
        assert seen == ["part 0\n", "part 1\n", "part 2\n"]
        assert host.environments("plain")[0].invocations == 1


@pytest.mark.parametrize("ending", ["fail=off", "fail=bug", "short=1"])
async def test_a_broken_off_stream_does_not_look_whole(shared: Path, ending: str) -> None:
    """An error after the first byte, or a body without an end, ends the stream as an error, only."""
    async with hosted(shared, streaming=True, logs_errors=ending == "fail=bug") as (host, client):
        received = ""
        with pytest.raises(httpx.RemoteProtocolError):
            async with client.stream("GET", f"/parts?n=2&{ending}") as response:
                async for part in response.aiter_text():
                    received += part
        assert received == "part 0\npart 1\n"
        await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201
        assert host.environments("plain")[0].invocations == 2, host.output("plain")
        assert ("ValueError: secret" in host.output("plain")) == (ending == "fail=bug")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("path", ["/raise", "/nothing"])
async def test_an_app_that_fails_answers_500(shared: Path, streaming: bool, path: str) -> None:
    """The client gets a plain 500 without the exception's text, which is logged with the request's id."""
    async with hosted(shared, streaming=streaming, logs_errors=path == "/raise") as (host, client):
        response = await client.get(path)
        assert (response.status_code, response.text) == (500, "Internal Server Error")
        assert (await client.get("/echo")).status_code == 201
        assert ("secret" in host.output("plain")) == (path == "/raise")


async def test_an_error_in_a_buffered_body_takes_all_of_it_back(shared: Path) -> None:
    """Nothing of a collected response has left when its body fails: the client gets a whole 500."""
    async with hosted(shared, logs_errors=True) as (_, client):
        response = await client.get("/parts?n=2&fail=bug")
        assert (response.status_code, response.text) == (500, "Internal Server Error")


async def test_binary_bodies(shared: Path) -> None:
    """Bytes that are no text come through a buffered response unharmed."""
    async with hosted(shared) as (_, client):
        assert (await client.get("/binary")).content == bytes(range(256))


async def test_size_limits(shared: Path) -> None:
    """Over 6 MiB, a whole response is refused with a 500 and a hint in the logs; a streamed one gets through."""
    async with hosted(shared, logs_errors=True) as (host, client):
        assert (await client.get("/large?mb=7")).status_code == 500
        assert "stream it" in host.output("plain")
    async with hosted(shared, streaming=True) as (host, client):
        assert len((await client.get("/large?mb=30")).content) == 30_000_000


async def test_an_answer_that_grows_over_the_limit_is_an_error(shared: Path) -> None:
    """A body that is too large only once it is encoded gets a 500 that says so."""
    async with hosted(shared) as (host, client):
        assert (await client.get("/large?mb=6")).status_code == 200
        refused = await client.get("/zeros?mb=6")
        assert refused.status_code == 500 and "Stream it" in refused.text
        await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201
        assert len(host.environments("plain")) == 1


async def test_text_of_any_script_is_sent_as_it_is(shared: Path) -> None:
    """1.3 million Cyrillic letters are 2.6 MB, not the 7.8 MB that escapes would make of them."""
    async with hosted(shared) as (_, client):
        answer = await client.get("/letters?n=1300000")
        assert answer.status_code == 200 and answer.text == "ж" * 1_300_000


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_app_that_ignores_its_cancellation(shared: Path, streaming: bool) -> None:
    """Its request gets the 504 all the same."""
    async with hosted(shared, streaming=streaming, timeout=2) as (_, client):
        assert (await client.get("/deaf?seconds=4")).status_code == 504


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_answer_too_late(shared: Path, streaming: bool) -> None:
    """An app that does not answer is cancelled before the time-out: 504, and the environment lives on."""
    async with hosted(shared, streaming=streaming, timeout=2) as (host, client):
        response = await client.get("/sleep?seconds=30")
        assert response.status_code == 504
        await host.at_rest("plain")
        await client.get("/echo")
        assert len(host.environments("plain")) == 1


async def test_a_blocked_loop_is_killed(shared: Path) -> None:
    """Who blocks the loop beyond the time-out is killed by Lambda; the next request gets a new environment."""
    async with hosted(shared, timeout=1) as (_, client):
        assert (await client.get("/block?seconds=30")).status_code == 504
        assert (await client.get("/echo")).status_code == 201


async def test_work_is_cancelled_before_the_deadline(shared: Path) -> None:
    """Work that takes too long is cancelled while it can still clean up, so that the environment is not killed."""
    async with hosted(shared, timeout=2) as (host, client):
        await client.post("/work?name=a&seconds=30")
        await host.at_rest("plain")
        assert noted(shared) == ["a cancelled"]
        assert len(host.environments("plain")) == 1


async def test_a_crash(shared: Path) -> None:
    """A process that ends fails its request with 502; the next one gets a new environment."""
    async with hosted(shared) as (_, client):
        assert (await client.get("/exit")).status_code == 502
        assert (await client.get("/echo")).status_code == 201


async def test_sigterm(shared: Path) -> None:
    """At the end pending work is cancelled in time to clean up, and then the app's lifespan ends."""
    async with hosted(shared, shutdown=20.0, environ={"LAMBDA_ASGI_SHUTDOWN_MS": "8000"}) as (_, client):
        await client.post("/work?name=a&seconds=30")
    assert noted(shared) == ["a cancelled", "app ended"]


async def test_start_that_fails(shared: Path) -> None:
    """A start that fails is reported to Lambda with its reason; requests fail, and no process is left."""
    async with hosted(shared, environ={"FAIL_AT_START": "no key"}, logs_errors=True) as (host, client):
        assert (await client.get("/echo")).status_code == 502
        with pytest.raises(InvocationFailed, match="no key"):
            await host.invoke("plain", {})
        await until(lambda: not host.environments("plain"))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"LAMBDA_ASGI_APP": "nowhere:app"}, "Set LAMBDA_ASGI_APP"),
        ({"LAMBDA_ASGI_APP": "plain:handler"}, "not an ASGI app"),
        ({"LAMBDA_ASGI_RESPONSE_MODE": "fast"}, "buffered, streaming"),
    ],
)
async def test_settings_that_cannot_be_used(shared: Path, environ: dict[str, str], said: str) -> None:
    """A wrong setting is reported with what to set."""
    async with hosted(shared, environ=environ, logs_errors="LAMBDA_ASGI_APP" in environ) as (host, _):
        with pytest.raises(InvocationFailed, match=said):
            await host.invoke("plain", {})


async def test_an_app_without_a_lifespan(shared: Path) -> None:
    """An app that knows only HTTP is served all the same."""
    async with hosted(shared, environ={"LAMBDA_ASGI_APP": "plain:no_lifespan"}) as (_, client):
        assert (await client.get("/echo")).text == "ok"


async def test_other_events(shared: Path) -> None:
    """An event that is not HTTP fails its invocation with an error that says so; the environment lives on."""
    async with hosted(shared) as (host, client):
        for strange in ({"source": "aws.events"}, [], "text", {"requestContext": {}, "version": "2.0"}):
            invocation = await host.invoke("plain", strange)
            with pytest.raises(InvocationFailed, match="UnknownEvent"):
                await invocation.payload()
            await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201
        assert len(host.environments("plain")) == 1


async def test_a_managed_instance_for_one_at_a_time(shared: Path) -> None:
    """A Managed Instance may be set to one invocation at once; work holds up none, and SIGTERM comes all the same."""
    async with hosted(shared, concurrency=1, max_environments=1) as (host, client):
        await client.post("/work?name=a&gate=work")
        await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201
        assert noted(shared) == []
        assert "no internal extension" not in host.output("plain")
        open_gate(shared, "work")
        await until(lambda: noted(shared) == ["a done"])


async def test_managed_instances(shared: Path) -> None:
    """With concurrency, invocations share one process, which is never frozen."""
    async with hosted(shared, concurrency=4, max_environments=1) as (host, client):
        await client.post("/work?name=a&gate=work")
        slow = [asyncio.create_task(client.get("/sleep?gate=slow")) for _ in range(2)]
        echoed = (await client.get("/echo")).json()
        assert echoed["pid"] == host.environments("plain")[0].pid
        assert not any(task.done() for task in slow) and noted(shared) == []
        open_gate(shared, "slow")
        open_gate(shared, "work")
        assert {(await task).text for task in slow} == {"slept"}
        await until(lambda: noted(shared) == ["a done"])


async def test_throttling(shared: Path) -> None:
    """When all environments allowed are busy, the client gets 429."""
    async with hosted(shared, max_environments=1) as (_, client):
        await client.post("/work?name=a&gate=work")
        assert (await client.get("/echo")).status_code == 429
        open_gate(shared, "work")


async def test_a_client_that_leaves_is_not_told(shared: Path) -> None:
    """As on Lambda, the function goes on when its client has left, and its environment is free afterwards."""
    async with hosted(shared, streaming=True) as (host, client):
        async with client.stream("GET", "/parts?n=5&pause=0.1") as response:
            async for _ in response.aiter_text():
                break
        await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201
        assert len(host.environments("plain")) == 1


async def test_events_of_all_fronts(shared: Path) -> None:
    """A load balancer's event is served as well, by the same function."""
    request: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:::targetgroup/x/1"}},
        "httpMethod": "GET",
        "path": "/echo",
        "queryStringParameters": {"a": "1"},
        "headers": {"host": "localhost", "x-forwarded-port": "80", "x-forwarded-for": "127.0.0.1"},
        "body": "",
        "isBase64Encoded": False,
    }
    async with hosted(shared) as (host, _):
        for found in (request, event("rest", "GET", "/echo?a=1", [], b""), event("url", "GET", "/echo?a=1", [], b"")):
            payload = await (await host.invoke("plain", found)).payload()
            assert b'"statusCode": 201' in payload
            assert b'\\"query\\": \\"a=1\\"' in payload
            await host.at_rest("plain")


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_cancellation_of_the_apps_own(shared: Path, streaming: bool) -> None:
    """An app that lets a CancelledError out fails its request, not its environment."""
    async with hosted(shared, streaming=streaming, logs_errors=True) as (host, client):
        assert (await client.get("/cancelled")).status_code == 500
        await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201
        assert [found.invocations for found in host.environments("plain")] == [2]


@pytest.mark.parametrize("streaming", [False, True])
async def test_responses_of_unusual_forms(shared: Path, streaming: bool) -> None:
    """Header values that are no ASCII, answers to HEAD, and responses without a body get through."""
    async with hosted(shared, streaming=streaming) as (host, client):
        assert (await client.get("/names")).headers["x-name"] == "Grüße"
        await host.at_rest("plain")
        assert (await client.head("/binary")).status_code == 200
        await host.at_rest("plain")
        empty = await client.get("/no-content")
        assert (empty.status_code, empty.content) == (204, b"")
        await host.at_rest("plain")
        assert [found.invocations for found in host.environments("plain")] == [3]


async def test_what_an_app_prints(shared: Path) -> None:
    """A line that the app prints is in the log before the environment is frozen."""
    async with hosted(shared) as (host, client):
        await client.get("/print")
        await host.at_rest("plain")
        assert "printed by the app\n" in host.output("plain")


async def test_short_time_outs(shared: Path) -> None:
    """With a time-out of a second there is still time for work, and cancelling it kills nothing."""
    async with hosted(shared, timeout=1) as (host, client):
        await client.post("/work?name=a&seconds=0.1")
        await host.at_rest("plain")
        await client.post("/work?name=b&seconds=30")
        await host.at_rest("plain")
        assert noted(shared) == ["a done", "b cancelled"]
        assert [found.invocations for found in host.environments("plain")] == [2]


async def test_a_reader_that_takes_nothing(shared: Path) -> None:
    """A stream that nobody reads is given up before the deadline, and its environment lives on."""
    async with hosted(shared, streaming=True, timeout=4) as (host, client):
        async with client.stream("GET", "/large?mb=60"):
            await host.at_rest("plain")
        assert [found.invocations for found in host.environments("plain")] == [1]
        await host.at_rest("plain")
        assert (await client.get("/echo")).status_code == 201


async def test_sigterm_at_the_start(shared: Path) -> None:
    """A process that is told to end while its app still starts ends at once."""
    async with hosted(shared, environ={"HANG_AT_START": "1"}) as (host, _):
        starting = asyncio.create_task(host.invoke("plain", {}))
        await until(lambda: noted(shared) == ["starting"])
        environment = host.environments("plain")[0]
        os.kill(environment.pid, signal.SIGTERM)
        with pytest.raises(InvocationFailed, match="init"):
            async with asyncio.timeout(5):
                await starting


async def test_sigterm_in_a_stream(shared: Path) -> None:
    """A response on its way when the process must end is broken off, so that its reader comes back."""
    async with hosted(shared, streaming=True, shutdown=20.0, environ={"LAMBDA_ASGI_SHUTDOWN_MS": "8000"}) as (
        host,
        client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            async with client.stream("GET", "/parts?n=500&pause=0.1") as response:
                parts = response.aiter_text()
                await anext(parts)
                closing = asyncio.create_task(host.environments("plain")[0].close())
                async for _ in parts:
                    pass
        await closing
    assert noted(shared) == ["app ended"]
