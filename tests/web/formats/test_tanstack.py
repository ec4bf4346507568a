"""The routes of TanStack AI's own HTTP adapters, as a client over HTTP gets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header

from resumable_chat.web.chat import ResumableChat
from resumable_chat.web.owners import PUBLIC
from resumable_chat.web.responses import BodyBroken
from resumable_chat.web.router import chat_router

from ...chats import Words, fresh_log
from ...logs import events_in

URL = "/api/chat/stream"
ROWS = [{"id": "u", "role": "user", "content": "hi"}]


def caller(authorization: Annotated[str, Header()] = "") -> str | None:
    return authorization or None


@asynccontextmanager
async def served(folder: Path, source: Any, *, owner: Any = PUBLIC) -> AsyncIterator[httpx.AsyncClient]:
    async with fresh_log(folder) as log:
        chat = ResumableChat(log)
        app = FastAPI()
        app.include_router(chat_router(source=source, owner=owner, chat=chat))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            yield client
        await chat.close()


def run_input(run_id: str = "r", **more: Any) -> dict[str, Any]:
    """A request as the stock client writes it."""
    body = {"threadId": "c", "runId": run_id, "state": {}, "messages": ROWS, "tools": [], "context": []}
    return {**body, "forwardedProps": {}, "data": {}, **more}


def sent(response: httpx.Response) -> list[tuple[int | None, dict[str, Any]]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache, no-transform"
    return events_in(response.content)


def detail(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()["detail"]


async def test_a_send_is_answered_with_its_run(tmp_path: Path) -> None:
    """The first event is there before the log is read, and its id leads back to the start of the run."""
    async with served(tmp_path, Words("1")) as client:
        events = sent(await client.post(f"{URL}?id=c", json=run_input(), headers={"X-Run-Id": "r"}))
        assert events[0] == (0, {"type": "CUSTOM", "name": "run.accepted", "value": {"runId": "r"}})
        assert (
            events[1][1]["type"] == "RUN_STARTED" and events[1][1]["runId"] == "r" and events[1][1]["threadId"] == "c"
        )
        assert events[-1][1]["type"] == "RUN_FINISHED"
        assert all(at is not None for at, _ in events)


async def test_a_client_that_comes_back_starts_nothing(tmp_path: Path) -> None:
    """From each id it gets the rest; at the end the terminal once more, without an id."""
    words = Words("1", "2")
    async with served(tmp_path, words) as client:
        whole = sent(await client.post(f"{URL}?id=c", json=run_input()))
        for url in (f"{URL}?id=c", URL):
            for at, _ in whole:
                headers = {"Last-Event-ID": str(at), "X-Run-Id": "r"}
                events = sent(await client.post(url, json=run_input(), headers=headers))
                assert events[-1][1] == whole[-1][1]
                assert all(found is None or found > (at or 0) for found, _ in events)
        joined = sent(await client.get(URL, params={"id": "c", "runId": "r", "offset": "-1"}))
        assert joined == whole
        params = {"id": "c", "runId": "r", "offset": "-1"}
        back = sent(await client.get(URL, params=params, headers={"Last-Event-ID": str(whole[-1][0])}))
        assert back == [(None, whole[-1][1])], "the header wins"
        last = {"id": "c", "runId": "r", "offset": "now"}
        assert sent(await client.get(URL, params=last))[-1] == (None, whole[-1][1])
        assert words.calls == 1


async def test_an_earlier_run_is_still_there_to_join(tmp_path: Path) -> None:
    """With its own chunks alone."""
    async with served(tmp_path, Words("1")) as client:
        first = sent(await client.post(URL, json=run_input("r1")))
        rows = [{"id": "v", "role": "user", "content": "and"}]
        sent(await client.post(URL, json=run_input("r2", messages=rows)))
        assert sent(await client.get(URL, params={"id": "c", "runId": "r1", "offset": "-1"})) == first


async def test_a_chat_is_loaded_as_json(tmp_path: Path) -> None:
    """Whole, or in pages."""
    async with served(tmp_path, Words("1")) as client:
        sent(await client.post(URL, json=run_input()))
        response = await client.get(URL, params={"threadId": "c"}, headers={"Accept": "application/json"})
        assert (
            response.headers["content-type"] == "application/json" and response.headers["cache-control"] == "no-store"
        )
        document = response.json()
        assert [said["role"] for said in document["messages"]] == ["user", "assistant"]
        assert (document["activeRun"], document["interrupts"]) == (None, None)
        page = (await client.get(URL, params={"threadId": "c", "limit": "1"})).json()
        assert page["messages"] == document["messages"][1:]
        params = {"threadId": "c", "before": page["page"]["cursor"]}
        assert (await client.get(URL, params=params)).json()["messages"] == document["messages"][:1]
        assert detail(await client.get(URL, params={"threadId": "c", "before": "gone"}))[0] == 404


async def test_what_the_client_sends_reaches_the_model(tmp_path: Path) -> None:
    """Data, tools, the run it continues and the answers to its interrupts."""
    seen: list[Any] = []

    async def source(messages: Any, context: Any) -> AsyncIterator[Any]:
        seen.append(context)
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "x"}

    tools = [{"name": "where", "description": "", "parameters": {}}]
    resume = [{"interruptId": "i", "status": "resolved", "payload": {"ok": True}}]
    async with served(tmp_path, source) as client:
        more = {"data": {"model": "m"}, "tools": tools, "parentRunId": "p", "resume": resume}
        sent(await client.post(URL, json=run_input(**more)))
    [context] = seen
    assert (context.data, context.tools, context.parent_run_id, context.resume) == ({"model": "m"}, tools, "p", resume)
    assert context.thread_id == "c"


@pytest.mark.parametrize(
    ("query", "headers", "change", "status", "says"),
    [
        ("", {}, {"threadId": None}, 400, "id: is missing"),
        ("", {}, {"threadId": "../x"}, 400, "id: must be"),
        ("?id=other", {}, {}, 400, "Give useChat the chat's id"),
        ("", {}, {"messages": []}, 400, "messages: is empty"),
        ("", {}, {"messages": [{"id": "u", "role": "user", "content": 1}]}, 400, "messages[0].content"),
        ("", {}, {"data": []}, 400, "data: must be"),
        ("", {}, {"resume": 1}, 400, "resume: must be"),
        ("", {"X-Run-Id": "x" * 257}, {}, 400, "X-Run-Id"),
        ("", {"Last-Event-ID": "x"}, {}, 400, "Last-Event-ID"),
        ("", {"Last-Event-ID": "7"}, {"runId": None}, 400, "X-Run-Id: is missing"),
        ("", {"Last-Event-ID": "7"}, {}, 404, "no such run"),
    ],
)
async def test_a_wrong_send_is_told_what_to_change(
    tmp_path: Path, query: str, headers: dict[str, str], change: dict[str, Any], status: int, says: str
) -> None:
    """And no model is asked."""
    words = Words("1")
    async with served(tmp_path, words) as client:
        found = detail(await client.post(URL + query, json=run_input(**change), headers=headers))
        assert found[0] == status and says in found[1]
        assert words.calls == 0


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 400, "threadId: is missing"),
        ("?offset=-1", 400, "threadId: is missing"),
        ("?runId=r&offset=-1", 400, "id: is missing"),
        ("?id=c&runId=r&offset=x", 400, "offset: must be"),
        ("?id=c&runId=&offset=-1", 400, "runId: must be"),
        ("?id=c&runId=r&offset=-1", 404, "no such run"),
        ("?id=c&threadId=d", 400, "threadId: is not the chat"),
        ("?threadId=c&limit=0", 400, "limit: must be"),
        ("?threadId=c&limit=10001", 400, "limit: must be"),
        ("?threadId=c&limit=-1", 400, "limit: must be"),
        ("?threadId=c&limit=%C2%B2", 400, "limit: must be"),
    ],
)
async def test_a_wrong_reading_is_told_what_to_change(tmp_path: Path, query: str, status: int, says: str) -> None:
    """With a status that leaves the page as it is."""
    async with served(tmp_path, Words("1")) as client:
        found = detail(await client.get(URL + query))
        assert found[0] == status and says in found[1]


async def test_a_chat_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Another caller finds an empty chat, one without a name is refused."""
    async with served(tmp_path, Words("1"), owner=caller) as client:
        sent(await client.post(URL, json=run_input(), headers={"Authorization": "ann"}))
        for params in ({"threadId": "c"}, {"id": "c", "runId": "r", "offset": "-1"}):
            assert detail(await client.get(URL, params=params))[0] == 401
        assert detail(await client.post(URL, json=run_input()))[0] == 401
        bob = {"Authorization": "bob"}
        assert (await client.get(URL, params={"threadId": "c"}, headers=bob)).json()["messages"] == []
        joining = {"id": "c", "runId": "r", "offset": "-1"}
        assert detail(await client.get(URL, params=joining, headers=bob))[0] == 404


async def test_two_sends_at_once_start_one_run(tmp_path: Path) -> None:
    """The other one is told to wait, with the time after which to ask again."""
    gate = asyncio.Event()
    async with served(tmp_path, Words("1", gate=gate)) as client:
        first = asyncio.create_task(client.post(URL, json=run_input("r1")))
        await asyncio.sleep(0.2)
        refused = await client.post(URL, json=run_input("r2", messages=[{"id": "v", "role": "user", "content": "x"}]))
        assert detail(refused)[0] == 409 and int(refused.headers["retry-after"]) >= 1
        gate.set()
        assert sent(await first)[-1][1]["type"] == "RUN_FINISHED"


async def test_a_log_that_is_away_breaks_off_who_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client takes any status for the end, and tries again after a broken body; others get a 503."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        app = FastAPI()
        app.include_router(chat_router(source=Words("1"), owner=PUBLIC, chat=chat))
        await chat.close()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            joining = {"id": "c", "runId": "r", "offset": "-1"}
            assert detail(await client.get(URL, params=joining))[0] == 503
            assert detail(await client.get(URL, params={"threadId": "c"}))[0] == 503
            with pytest.raises(BodyBroken):
                await client.get(URL, params=joining, headers={"Last-Event-ID": "7"})


def test_vectors_are_json_lines() -> None:
    """One case a line."""
    path = Path(__file__).parents[2] / "vectors" / "tanstack.jsonl"
    assert all({"name", "log", "sent"} == set(json.loads(line)) for line in path.read_text().split("\n") if line)
