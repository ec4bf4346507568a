"""CopilotKit's contracts, as its client over HTTP finds them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .test_ag_ui import answer, kinds, rows, run_input
from .test_tanstack import caller, sent, served

URL = "/api/copilotkit"

Chunk = dict[str, Any]


def envelope(method: str, body: Any = None, **params: Any) -> dict[str, Any]:
    """A request to the single route."""
    return {"method": method, "params": {"agentId": "default", **params}, **({} if body is None else {"body": body})}


async def test_both_contracts_name_the_agent(tmp_path: Path) -> None:
    """And the mode whose streams are server-sent events."""
    async with served(tmp_path, answer) as http:
        by_path = (await http.get(f"{URL}/info")).json()
        assert (await http.post(URL, json={"method": "info"})).json() == by_path
        assert by_path["mode"] == "sse" and [*by_path["agents"]] == ["default"]
        assert "threadEndpoints" not in by_path and "suggestions" not in by_path


async def test_both_contracts_run_and_connect(tmp_path: Path) -> None:
    """On the same chat; any agent's name is served."""
    async with served(tmp_path, answer) as http:
        events = sent(await http.post(f"{URL}/agent/support/run", json=run_input(protocolVersion=None)))
        assert kinds(events)[-1] == "RUN_FINISHED"
        again = sent(await http.post(URL, json=envelope("agent/run", run_input(protocolVersion=None))))
        assert again == events
        history = sent(await http.post(f"{URL}/agent/support/connect", json=run_input()))
        assert rows(history) == [("user", "hi"), ("assistant", "Hello.")]
        assert rows(sent(await http.post(URL, json=envelope("agent/connect", run_input())))) == rows(history)


@pytest.mark.parametrize("named", [{}, {"runId": "r"}])
@pytest.mark.parametrize("single", [False, True])
async def test_a_stop_ends_the_answer(tmp_path: Path, named: dict[str, str], single: bool) -> None:
    """Whether it names the run or not; one for a chat in which nothing runs says so."""
    said = asyncio.Event()

    async def waiting(messages: Any, context: Any) -> AsyncIterator[Chunk]:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "a"}
        said.set()
        await asyncio.Event().wait()

    async with served(tmp_path, waiting) as http, asyncio.TaskGroup() as tasks:

        async def stopped() -> httpx.Response:
            if single:
                return await http.post(URL, json=envelope("agent/stop", named or None, threadId="c"))
            return await http.post(f"{URL}/agent/default/stop/c", **({"json": named} if named else {}))

        running = tasks.create_task(http.post(f"{URL}/agent/default/run", json=run_input()))
        await said.wait()
        first = await stopped()
        assert (first.status_code, first.json()) == (200, {"stopped": True})
        assert sent(await running)[-1][1]["outcome"] == {"type": "cancelled"}
        second = await stopped()
        assert (second.status_code, second.json()["stopped"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "method: must be one of"),
        ({"method": []}, "method: must be one of"),
        ({"method": "threads/list"}, "method: must be one of"),
        ({"method": "agent/run"}, "body: is missing"),
        ({"method": "agent/run", "body": []}, "body: must be an object"),
        ({"method": "agent/stop", "params": 5}, "params: must be an object"),
        ({"method": "agent/stop", "params": {}}, "threadId: is missing"),
        ({"method": "agent/stop", "params": {"threadId": "c"}, "body": {"all": True}}, "The body of a stop"),
        ({"method": "agent/connect", "body": {}}, "threadId: is missing"),
    ],
)
async def test_a_bad_envelope_is_told_what_to_change(tmp_path: Path, body: dict[str, Any], words: str) -> None:
    """In the field that CopilotKit shows, and in the one that all routes have."""
    async with served(tmp_path, answer) as http:
        refused = await http.post(URL, json=body)
        assert refused.status_code == 400
        assert refused.json()["message"].startswith(words) and refused.json()["detail"] == refused.json()["message"]


async def test_a_caller_without_a_name_is_told_nothing(tmp_path: Path) -> None:
    """Not even which agents there are."""
    async with served(tmp_path, answer, owner=caller) as http:
        for method, path in (
            ("GET", "/info"),
            ("POST", "/agent/default/run"),
            ("POST", "/agent/default/connect"),
            ("POST", "/agent/default/stop/c"),
        ):
            body = {} if method == "GET" or "stop" in path else {"json": run_input()}
            assert (await http.request(method, URL + path, **body)).status_code == 401
        for method in ("info", "agent/run", "agent/connect", "agent/stop"):
            assert (await http.post(URL, json=envelope(method, run_input(), threadId="c"))).status_code in (400, 401)
        assert (await http.get(f"{URL}/info", headers={"Authorization": "ada"})).status_code == 200
