"""The routes: what they answer to good and to bad requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..chats import frames, user
from ..servers import local_server

GOOD = {"id": "c1", "messages": [user("u1", "Hello")]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with local_server(tmp_path_factory.mktemp("http") / "chat.db") as (base, _):
        yield base


@asynccontextmanager
async def client(base: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=base, timeout=20) as http:
        yield http


def changed(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD, **fields}.items() if value is not ...}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "must be JSON"),
        (b"{", 400, "must be JSON"),
        (b"[]", 400, "JSON object"),
        (changed(id=...), 400, "id: is missing"),
        (changed(id=""), 400, "id: is missing"),
        (changed(id=7), 400, "id: must be"),
        (changed(id="../x"), 400, "id: must be"),
        (changed(id="a" * 129), 400, "id: must be"),
        (changed(messages=...), 400, "messages: is missing"),
        (changed(messages={}), 400, "messages: must be a list"),
        (changed(messages=[]), 400, "messages: is empty"),
        (changed(messages=[{"role": "user"}]), 400, "messages[0].id"),
        (changed(runId=5), 400, "runId: must be"),
        (changed(runId="x" * 300), 400, "runId: must be"),
        (changed(data=[1]), 400, "data: must be an object"),
        (changed(**{"from": "x"}), 400, "from: must be"),
        (changed(**{"from": -1}), 400, "from: must be"),
        (b'{"id":"c1","messages":"' + b"x" * (6 * 1024 * 1024) + b'"}', 413, "6,291,456 bytes"),
    ],
    ids=range(18),
)
async def test_a_bad_send_is_refused_with_what_to_do(server: str, body: Any, status: int, says: str) -> None:
    """Each mistake has its own text, nothing is stored, and no request is a 500."""
    async with client(server) as http:
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = await http.post("/api/chat", headers={"Content-Type": "application/json"}, **sent)
        assert response.status_code == status and says in response.json()["detail"]
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("query", ["", "?id=", "?id=a/b", "?id=c1&from=x", "?id=c1&from=-3", "?id=c1&from=1.5"])
async def test_a_bad_replay_is_refused(server: str, query: str) -> None:
    """400 before any event, so that a client does not take it for a stream."""
    async with client(server) as http:
        assert (await http.get("/api/chat/replay" + query)).status_code == 400


@pytest.mark.parametrize("query", ["", "?id=", "?id=a%20b", "?id=c1&runId=" + "x" * 300])
async def test_a_bad_stop_is_refused(server: str, query: str) -> None:
    """400 with a text, in the query as in the body."""
    async with client(server) as http:
        assert (await http.delete("/api/chat" + query)).status_code == 400


async def read_until(response: httpx.Response, what: bytes) -> bytes:
    received = b""
    async with asyncio.timeout(20):
        async for part in response.aiter_bytes():
            received += part
            if what in received:
                return received
    raise AssertionError(received)


async def test_a_chat_over_http(server: str) -> None:
    """Send, watch, come back with a cursor and with Last-Event-ID, stop: with the headers that proxies need."""
    async with client(server) as http:
        sent = await http.post("/api/chat", json={**GOOD, "id": "tour", "runId": "r1"})
        assert (sent.status_code, sent.content, sent.headers["cache-control"]) == (202, b"", "no-store")
        async with http.stream("GET", "/api/chat/replay?id=tour&live=1") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-cache, no-transform"
            assert response.headers["x-accel-buffering"] == "no"
            first = frames(await read_until(response, b"TEXT_MESSAGE_CONTENT"))
        assert first[0][1]["type"] == "MESSAGES_SNAPSHOT"
        cursor = first[3][0]
        for request in (
            {"url": f"/api/chat/replay?id=tour&from={cursor}"},
            {"url": "/api/chat/replay?id=tour&from=1", "headers": {"Last-Event-ID": str(cursor)}},
        ):
            async with http.stream("GET", **request) as response:
                again = frames(await read_until(response, b"TEXT_MESSAGE_CONTENT"))
            assert again[0][0] > cursor and again[0][1]["type"] != "MESSAGES_SNAPSHOT"
        stopped = await http.request("DELETE", "/api/chat", json={"id": "tour", "runId": "r1"})
        assert stopped.status_code == 202
        assert (await http.delete("/api/chat?id=tour")).status_code == 204


async def test_the_key_may_come_in_a_header(server: str) -> None:
    """X-Run-Id and Idempotency-Key name the run like ``runId`` in the body."""
    async with client(server) as http:
        for header in ("X-Run-Id", "Idempotency-Key"):
            sends = [
                await http.post("/api/chat", json={**GOOD, "id": f"key-{header}"}, headers={header: "k"}) for _ in "ab"
            ]
            assert [response.status_code for response in sends] == [202, 202]
            assert (await http.delete(f"/api/chat?id=key-{header}&runId=k")).status_code == 202


@pytest.mark.parametrize("delivery", ["response", "replay"])
async def test_the_functions_take_the_mode_from_the_environment(tmp_path: Path, delivery: str) -> None:
    """CHAT_MODE and CHAT_DELIVERY: the send is the answer, or its replay is; afterwards there is none."""
    environ = {"CHAT_MODE": "single-use", "CHAT_DELIVERY": delivery}
    with local_server(tmp_path / "chat.db", **environ) as (base, _):
        async with client(base) as http, asyncio.timeout(30):
            sent = await http.post("/api/chat", json={**GOOD, "runId": "r1"})
            if delivery == "replay":
                assert (sent.status_code, sent.content) == (202, b"")
                sent = await http.get("/api/chat/replay?id=c1")
            assert sent.status_code == 200
            told = [chunk for _, chunk in frames(sent.content)]
            assert told[0]["type"] == "RUN_STARTED" and told[0]["runId"] == "r1"
            assert told[-1]["type"] == "RUN_FINISHED"
            assert "**Hello**" in "".join(c["delta"] for c in told if c["type"] == "TEXT_MESSAGE_CONTENT")
            assert (await http.get("/api/chat/replay?id=c1")).status_code == 204
            assert (await http.post("/api/chat", json={**GOOD, "runId": "r2"})).status_code == 409
            refused = await http.post("/api/chat", json={**GOOD, "messages": {}})
            assert refused.status_code == 400
