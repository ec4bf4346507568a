"""The built functions under the host, on one shared log: what a chat on Lambda must survive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from lambda_asgi.testing import State
from resumable_chat import SqliteLog
from resumable_chat.web.owners import Owner

from ..chats import story
from .deployment import Reader, deployed, message, text_of, words

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


@pytest.fixture
def environ(database: Path) -> dict[str, str]:
    return {"CHAT_LOG": f"sqlite:///{database}", "CHAT_LEASE_MS": "3000", "SCRIPT_GATES": str(database.parent)}


@pytest.fixture
def open_gate(database: Path) -> Callable[[str], None]:
    """Let a scripted model go on that waits at a gate, however long the test took to get there."""
    return lambda gate: (database.parent / gate).touch()


async def told(database: Path, chat: str, owner: str = "alice") -> list[str]:
    """What the log holds of an owner's chat."""
    log = SqliteLog(database)
    try:
        stream = f"{Owner('jwt', owner, 'https://idp.example/pool').key}/{chat}"
        return await story(log, stream)
    finally:
        await log.close()


async def test_202_leaves_before_the_answer(
    environ: dict[str, str], database: Path, open_gate: Callable[[str], None]
) -> None:
    """202 comes while the model still writes; the answer is whole though nothing else is invoked."""
    async with deployed(environ) as (host, client):
        asked = message("say 5 every 0.01 await go say 5 every 0.01")
        sent = await client.post("/api/chat", json={"id": "c", "messages": [asked]})
        assert (sent.status_code, sent.content, sent.headers["cache-control"]) == (202, b"", "no-store")
        send = host.environments("send")[0]
        assert send.state is State.BUSY
        assert (await told(database, "c"))[-1] != "<end>"
        open_gate("go")
        await host.at_rest("send")
        assert (await told(database, "c"))[-2:] == ["RUN_FINISHED", "<end>"]
        assert send.invocations == 1
        chunks = await Reader(client, "c").until("MESSAGES_SNAPSHOT")
        assert chunks[0]["messages"][-1]["parts"] == [{"type": "text", "content": words(10)}]


async def test_chunks_arrive_as_they_are_made(environ: dict[str, str], open_gate: Callable[[str], None]) -> None:
    """A reader has what was written so far before the model writes on, and every word once."""
    async with deployed(environ) as (_, client):
        asked = message("await begin say 2 every 0 await middle say 2 every 0 await end say 2 every 0")
        await client.post("/api/chat", json={"id": "c", "messages": [asked]})
        gates = {0: "begin", 2: "middle", 4: "end"}
        chunks: list[dict[str, Any]] = []
        async with asyncio.timeout(60), aclosing(Reader(client, "c").events()) as events:
            async for _, chunk in events:
                chunks.append(chunk)
                if gate := gates.pop(len(text_of(chunks).split()), None):
                    open_gate(gate)
                if chunk["type"] == "RUN_FINISHED":
                    break
        assert text_of(chunks) == words(6) and not gates


async def test_a_lease_rotation_loses_nothing(environ: dict[str, str], open_gate: Callable[[str], None]) -> None:
    """Responses that end in mid-answer are broken off; who comes back gets each word once."""
    async with deployed(environ, replay=4) as (host, client):
        await client.post("/api/chat", json={"id": "c", "messages": [message("await go say 70 every 0.1")]})
        reader = Reader(client, "c")
        async with aclosing(reader.events()) as events:
            await anext(events)
        open_gate("go")
        chunks = await reader.until("RUN_FINISHED")
        assert text_of(chunks) == words(70)
        assert reader.broken >= 2
        assert "Traceback" not in host.output("replay"), host.output("replay")


async def test_stop_from_another_environment(environ: dict[str, str], database: Path) -> None:
    """A stop ends the run at once in every reader and in the writer; a second one finds nothing to do."""
    async with deployed(environ) as (host, client):
        asked = {"id": "c", "runId": "r1", "messages": [message("say 500 every 0.1")]}
        await client.post("/api/chat", json=asked)
        await Reader(client, "c").until("TEXT_MESSAGE_CONTENT")
        stopped = await client.request("DELETE", "/api/chat", json={"id": "c", "runId": "r1"})
        assert stopped.status_code == 202
        assert (await client.delete("/api/chat", params={"id": "c"})).status_code == 204
        await host.at_rest("send")
        assert (await told(database, "c"))[-2:] == ["RUN_FINISHED", "<end>"]
        assert (await client.post("/api/chat", json=asked)).status_code == 202
        assert (await told(database, "c")).count("RUN_STARTED") == 1


async def test_a_killed_environment_is_closed_by_a_reader(environ: dict[str, str], database: Path) -> None:
    """A writer that dies in mid-answer leaves a run that readers end after the lease; the chat can go on."""
    async with deployed(environ) as (host, client):
        await client.post("/api/chat", json={"id": "c", "messages": [message("say 500 every 0.1")]})
        reader = Reader(client, "c")
        await reader.until("TEXT_MESSAGE_CONTENT")
        host.environments("send")[0].kill()
        assert (await reader.until("RUN_ERROR"))[-1]["code"] == "writer_lost"
        assert (await told(database, "c"))[-1] == "<error>"
        sent = await client.post("/api/chat", json={"id": "c", "messages": [message("say 2 every 0", "u1")]})
        assert sent.status_code == 202
        await host.at_rest("send")
        shown = (await Reader(client, "c").until("MESSAGES_SNAPSHOT"))[0]["messages"]
        assert [shown[-2]["id"], shown[-1]["parts"]] == ["u1", [{"type": "text", "content": words(2)}]]


async def test_an_answer_ends_before_the_functions_limit(environ: dict[str, str], database: Path) -> None:
    """An answer that takes longer than the function may ends itself with an error that says so; nothing is killed."""
    async with deployed(environ, send=9) as (host, client):
        await client.post("/api/chat", json={"id": "c", "messages": [message("say 500 every 0.1")]})
        chunks = await Reader(client, "c").until("RUN_ERROR")
        assert chunks[-1]["code"] == "deadline"
        await host.at_rest("send")
        assert (await told(database, "c"))[-1] == "<error>"
        assert len(host.environments("send")) == 1


async def test_owners_are_apart(environ: dict[str, str]) -> None:
    """The same chat id is another chat for another caller; a caller without an identity gets nowhere."""
    async with deployed(environ) as (host, client):
        await client.post("/api/chat", json={"id": "c", "messages": [message("say 3 every 0")]})
        await host.at_rest("send")
        bob = {"authorization": "Bearer bob"}
        await client.post("/api/chat", json={"id": "c", "messages": [message("say 1 every 0", "b0")]}, headers=bob)
        await host.at_rest("send")
        for name, ids in (("alice", "u0"), ("bob", "b0")):
            client.headers["authorization"] = f"Bearer {name}"
            shown = (await Reader(client, "c").until("MESSAGES_SNAPSHOT"))[0]["messages"]
            assert [shown[0]["id"], len(shown)] == [ids, 2]
        assert (await client.post("/api/chat", json={}, headers={"authorization": ""})).status_code == 401


async def test_two_senders(environ: dict[str, str], open_gate: Callable[[str], None]) -> None:
    """While an answer is written, another send gets 409 from another environment, and its text is not stored."""
    async with deployed(environ) as (host, client):
        await client.post("/api/chat", json={"id": "c", "messages": [message("await go say 1 every 0")]})
        again = await client.post("/api/chat", json={"id": "c", "messages": [message("say 1 every 0", "u1")]})
        assert (again.status_code, "already in use" in again.json()["detail"]) == (409, True)
        assert len(host.environments("send")) == 2
        open_gate("go")


async def test_function_urls(environ: dict[str, str]) -> None:
    """Send, replay and stop work over function URLs as well, with a caller that IAM established."""
    async with deployed({**environ, "CHAT_AUTH": "none"}) as (host, client):
        client.base_url = ""
        sent = await client.post(
            f"{host.function_urls['send']}/api/chat", json={"id": "c", "messages": [message("say 3 every 0")]}
        )
        assert sent.status_code == 202
        await host.at_rest("send")
        client.base_url = host.function_urls["replay"]
        shown = (await Reader(client, "c").until("MESSAGES_SNAPSHOT"))[0]["messages"]
        assert shown[-1]["parts"] == [{"type": "text", "content": words(3)}]
        stopped = await client.delete(f"{host.function_urls['stop']}/api/chat", params={"id": "c"})
        assert stopped.status_code == 204


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'{"id": "c"}', 400)])
async def test_requests_that_cannot_be_used(environ: dict[str, str], body: bytes, status: int) -> None:
    """Bad requests get the library's own answers through the gateway."""
    async with deployed(environ) as (_, client):
        answer = await client.post("/api/chat", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status
        assert answer.json()["detail"]


async def test_a_request_larger_than_lambda_takes(environ: dict[str, str]) -> None:
    """Over 6 MB the gateway refuses a request; the function does not see it."""
    async with deployed(environ) as (host, client):
        answer = await client.post("/api/chat", content=b"x" * 6_300_000, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})
        assert sum(found.invocations for found in host.environments("send")) == 0
