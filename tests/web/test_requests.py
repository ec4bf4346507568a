"""The routes: what they answer to good and to bad requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from starlette.requests import Request

from resumable_chat.errors import BadRequest
from resumable_chat.protocol.chunks import decode, encode
from resumable_chat.protocol.json_text import dumps
from resumable_chat.protocol.turns import Turn
from resumable_chat.web.requests import SendRequest, read_send
from resumable_chat.wire.messages import read_messages

from ..chats import frames, user
from ..servers import local_server
from ..values import damaged, nested

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
        (changed(id=".a"), 400, "id: must be"),
        (changed(parentRunId=[]), 400, "parentRunId: must be"),
        (changed(resume="x"), 400, "resume: must be a list or an object"),
        (changed(tools={}), 400, "tools: must be a list"),
        (changed(messages=[user("u1", "a") | {"role": []}]), 400, "messages[0].role: must be one of"),
        (b'{"id":"c1","messages":' + b"[" * 980 + b"]" * 980 + b"}", 400, "nested"),
        (b'{"id":"c1","messages":NaN}', 400, "must be JSON"),
        (b'{"id":"\xff"}', 400, "must be JSON"),
        (b'{"id":"c1","messages":"' + b"x" * (6 * 1024 * 1024) + b'"}', 413, "6,291,456 bytes"),
    ],
    ids=range(26),
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


@pytest.mark.parametrize(
    ("chat", "text", "shown"),
    [("-odd", "half \\ud83d", "half \ud83d"), ("_odd", "\\ud83d\\ude00", "😀"), ("odd", "\\u0000", "\0")],
)
async def test_text_that_utf8_cannot_hold_is_taken(server: str, chat: str, text: str, shown: str) -> None:
    """A message with half a character is stored and shown, and the chat goes on with it in its history."""
    messages = f'{{"id":"u1","role":"user","parts":[{{"type":"text","content":"{text}"}}]}}'
    async with client(server) as http:
        for more in ("", ',{"id":"u2","role":"user","parts":[{"type":"text","content":"more","score":1e999}]}'):
            body = f'{{"id":"{chat}","messages":[{messages}{more}]}}'
            sent = await http.post("/api/chat", content=body, headers={"Content-Type": "application/json"})
            assert sent.status_code == 202
            async with http.stream("GET", f"/api/chat/replay?id={chat}") as response:
                first = frames(await read_until(response, b"RUN_FINISHED"))[0][1]
            assert first["messages"][0]["parts"] == [{"type": "text", "content": shown}]


async def _read(body: bytes, headers: dict[str, str] | None = None) -> SendRequest:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return await read_send(Request({"type": "http", "headers": named, "query_string": b""}, receive))


async def test_a_send_carries_what_a_continuation_needs() -> None:
    """The run it continues, the answers to its interrupts, and the client's tools; none of them is required."""
    plain = await _read(dumps(GOOD))
    assert (plain.parent_run_id, plain.resume, plain.tools, plain.data, plain.seen) == (None, None, (), {}, None)
    for resume in ([{"interruptId": "i", "payload": 1}], {"i": {"status": "resolved"}}):
        fields = {"parentRunId": "r1", "resume": resume, "tools": [{"name": "f"}], "data": {"a": "\ud83d"}, "from": 7}
        full = await _read(dumps({**GOOD, **fields, "runId": "r2"}), {"x-run-id": "header"})
        assert (full.parent_run_id, full.resume, full.tools) == ("r1", resume, [{"name": "f"}])
        assert (full.run_id, full.data, full.seen) == ("r2", {"a": "\ufffd"}, 7)


async def test_a_body_is_nested_no_deeper_than_a_turn_can_store() -> None:
    """The limit is 190 levels, five of which are around the value of a part."""

    def body(levels: int) -> bytes:
        return dumps({"id": "c", "messages": [user("u") | {"parts": [{"type": "x", "value": nested(levels)}]}]})

    message = read_messages((await _read(body(185))).messages)[0]
    assert decode(encode(Turn(message, None, None, None).chunk())) is not None
    with pytest.raises(BadRequest, match="nested deeper than 190 levels"):
        await _read(body(186))


BODY = {
    **GOOD,
    "runId": "r1",
    "from": 3,
    "data": {"a": 1},
    "parentRunId": "r0",
    "resume": [{"interruptId": "i", "payload": {}}],
    "tools": [{"name": "f"}],
}


@settings(max_examples=300, deadline=None)
@given(damaged(BODY))
def test_any_body_is_read_or_refused(body: Any) -> None:
    """No JSON in any place of a body causes another error than a BadRequest, and what was read can be stored."""
    try:
        read = asyncio.run(_read(dumps(body)))
        for message in read_messages(read.messages):
            assert decode(encode(Turn(message, "a", 1, read.run_id).chunk())) is not None
    except BadRequest as refused:
        assert refused.status == 400 and refused.detail.isascii()
    else:
        assert isinstance(read.data, dict) and isinstance(read.run_id, str | None)


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


def test_answers_to_interrupts_are_a_list() -> None:
    """A list as it is, an object with the interrupts' ids put in; what is not an object is refused by its place."""
    listed = [{"interruptId": "i", "payload": 1}]
    for resume, answers in (
        (None, []),
        (listed, listed),
        ({"i": {"status": "resolved"}}, [{"interruptId": "i", "status": "resolved"}]),
    ):
        assert SendRequest("c", [], None, None, {}, resume=resume).answers == answers
    for resume, where in (([{}, 1], r"resume\[1\]: must be an object"), ({"i": []}, "resume.i: must be an object")):
        with pytest.raises(BadRequest, match=where):
            _ = SendRequest("c", [], None, None, {}, resume=resume).answers
