"""The AI SDK's routes over HTTP: statuses, headers, errors as the client shows them, and what comes back when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from resumable_chat import ResumableChat, SourceContext, SqliteLog
from resumable_chat.log.port import Log
from resumable_chat.web.formats.ai_sdk import RESUME_WINDOW
from resumable_chat.web.owners import PUBLIC
from resumable_chat.web.router import chat_router

from ...faults import FaultyLog
from ...wire.ai_sdk.client import Reader, chunks_in

CHAT = "/api/ai-sdk/chat"


class Model:
    """Says what it was asked and what came with it; ``gate`` holds it back after the first word."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[Mapping[str, Any]], SourceContext]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.called: list[dict[str, Any]] = []

    async def __call__(
        self, messages: Sequence[Mapping[str, Any]], context: SourceContext
    ) -> AsyncIterator[dict[str, Any]]:
        self.asked.append((messages, context))
        yield {"type": "RUN_STARTED", "runId": context.run_id}
        yield {"type": "TEXT_MESSAGE_START", "messageId": context.message_id, "role": "assistant"}
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"{len(self.asked)}: "}
        await self.gate.wait()
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "done"}
        for chunk in self.called:
            yield chunk


@asynccontextmanager
async def serving(
    folder: Path, log: Log | None = None, **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Model]]:
    model = Model()
    chat = ResumableChat(log or SqliteLog(folder / "chat.db"), **options)
    app = FastAPI()
    app.include_router(chat_router(source=model, owner=PUBLIC, chat=chat))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http, model
        model.gate.set()
    await chat.close()


def user(message_id: str, text: str = "Hi") -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "text": text}]}


def sending(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "c", "messages": list(messages), "trigger": "submit-message", **more}


def answered(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return Reader().read(chunks_in(response.content)).message


def texts(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return ["".join(part.get("text", "") for part in message["parts"]) for message in messages]


async def until_running(http: httpx.AsyncClient, chat: str = "c") -> None:
    async with asyncio.timeout(10):
        while not (await http.get(f"{CHAT}/{chat}/messages")).json():
            await asyncio.sleep(0.01)


async def test_a_send_is_answered_with_its_run(tmp_path: Path) -> None:
    """In one response, with the headers of the protocol, and the end mark last."""
    async with serving(tmp_path) as (http, _):
        response = await http.post(CHAT, json=sending(user("u1")))
        assert texts([answered(response)]) == ["1: done"]
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
        assert "no-cache" in response.headers["cache-control"] and response.headers["x-accel-buffering"] == "no"


async def test_the_same_message_twice_is_answered_once(tmp_path: Path) -> None:
    """Without a run id on the wire, the message's own id is the key; a given run id wins."""
    async with serving(tmp_path) as (http, model):
        first = answered(await http.post(CHAT, json=sending(user("u1"))))
        assert answered(await http.post(CHAT, json=sending(user("u1")))) == first
        for headers, more in (({}, {"runId": "r"}), ({"X-Run-Id": "r"}, {}), ({"Idempotency-Key": "r"}, {})):
            again = await http.post(CHAT, json=sending(user("u1"), messageId="u1", **more), headers=headers)
            assert texts([answered(again)]) == ["2: done"]
        assert len(model.asked) == 2


async def test_an_edit_and_another_try_run_anew(tmp_path: Path) -> None:
    """Each of them replaces what it was an answer to."""
    async with serving(tmp_path) as (http, model):
        await http.post(CHAT, json=sending(user("u1", "A")))
        await http.post(CHAT, json=sending(user("u1", "B"), messageId="u1"))
        await http.post(CHAT, json=sending(user("u1", "A"), messageId="u1"))
        await http.post(CHAT, json=sending(user("u1", "A"), trigger="regenerate-message"))
        assert len(model.asked) == 4
        assert texts((await http.get(f"{CHAT}/c/messages")).json()) == ["A", "4: done"]


async def test_a_running_answer_comes_back_whole(tmp_path: Path) -> None:
    """From its start, for any number of readers; the loaded messages do not have it yet."""
    async with serving(tmp_path) as (http, model):
        model.gate.clear()
        sent = asyncio.create_task(http.post(CHAT, json=sending(user("u1"))))
        await until_running(http)
        resumed = [asyncio.create_task(http.get(f"{CHAT}/c/stream")) for _ in range(2)]
        assert texts((await http.get(f"{CHAT}/c/messages")).json()) == ["Hi"]
        await asyncio.sleep(0.1)
        model.gate.set()
        expected = answered(await sent)
        for task in resumed:
            assert answered(await task) == expected
        assert (await http.get(f"{CHAT}/c/messages")).json()[-1] == expected


async def test_an_answer_that_has_just_ended_comes_back_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose response broke off would settle on half of it. After the window there is nothing to resume."""
    async with serving(tmp_path) as (http, _):
        assert (await http.get(f"{CHAT}/c/stream")).status_code == 204
        expected = answered(await http.post(CHAT, json=sending(user("u1"))))
        assert answered(await http.get(f"{CHAT}/c/stream")) == expected
        now = time.time()
        monkeypatch.setattr("resumable_chat.engine.tail.time.time", lambda: now + RESUME_WINDOW + 1)
        nothing = await http.get(f"{CHAT}/c/stream")
        assert nothing.status_code == 204 and not nothing.content
        assert nothing.headers["cache-control"] == "no-store"


async def test_a_cursor_brings_the_rest_of_its_own_run(tmp_path: Path) -> None:
    """Also when the next run has begun, whose chunks would be taken for this one's."""
    async with serving(tmp_path) as (http, _):
        first = (await http.post(CHAT, json=sending(user("u1")))).content
        cursors = [int(line[4:]) for line in first.decode().splitlines() if line.startswith("id: ")]
        for _ in range(2):
            got = await http.get(f"{CHAT}/c/stream", headers={"Last-Event-ID": str(cursors[0])})
            assert first.endswith(got.content.removeprefix(b": open\n\n")[-60:])
            assert (await http.get(f"{CHAT}/c/stream?from={cursors[-1]}")).content.endswith(b"data: [DONE]\n\n")
            await http.post(CHAT, json=sending(user("u1"), user("u2")))
        assert (await http.get(f"{CHAT}/c/stream?from=99999")).status_code in (200, 204)


async def test_a_list_that_was_sent_changes_nothing_before_it(tmp_path: Path) -> None:
    """The client's messages have less room than ours, also when it had seen all of them."""
    async with serving(tmp_path) as (http, _):
        first = await http.post(CHAT, json=sending(user("u1")))
        cursor = [line[4:] for line in first.text.splitlines() if line.startswith("id: ")][-1]
        changed = {**answered(first), "parts": [{"type": "text", "text": "Never said."}]}
        await http.post(CHAT, json={**sending(user("u1", "Else?"), changed, user("u2")), "from": int(cursor)})
        assert texts((await http.get(f"{CHAT}/c/messages")).json()) == ["Hi", "1: done", "Hi", "2: done"]


async def test_a_stop_keeps_what_was_written(tmp_path: Path) -> None:
    """From anywhere, with or without the run's id; 204 when nothing runs."""
    async with serving(tmp_path) as (http, model):
        for body in ({}, {"json": {}}, {"json": {"runId": "r"}}):
            assert (await http.post(f"{CHAT}/c/stop", **body)).status_code == 204
        model.gate.clear()
        sent = asyncio.create_task(http.post(CHAT, json=sending(user("u1"), runId="r2")))
        await until_running(http)
        await asyncio.sleep(0.1)
        assert (await http.post(f"{CHAT}/c/stop", json={"runId": "r2"})).status_code == 202
        reader = Reader().read(chunks_in((await sent).content))
        assert reader.ended == "abort" and texts([reader.message]) == ["1: "]
        assert reader.message["metadata"]["resumable"]["run"]["outcome"] == "stopped"
        assert (await http.get(f"{CHAT}/c/messages")).json()[-1] == reader.message


async def test_the_result_of_a_client_tool_goes_on_in_its_message(tmp_path: Path) -> None:
    """The model gets it, and the chat has one answer."""
    async with serving(tmp_path) as (http, model):
        model.called = [
            {"type": "TOOL_CALL_START", "toolCallId": "t", "toolCallName": "where"},
            {"type": "TOOL_CALL_END", "toolCallId": "t"},
            {"type": "RUN_FINISHED", "finishReason": "tool_calls"},
        ]
        before = answered(await http.post(CHAT, json=sending(user("u1"))))
        model.called = []
        call = before["parts"][-1]
        assert call["state"] == "input-available"
        call |= {"state": "output-available", "output": {"place": "here"}}
        response = await http.post(CHAT, json=sending(user("u1"), before, messageId=before["id"]))
        after = Reader(before).read(chunks_in(response.content)).message
        given, _ = model.asked[-1]
        assert given[-1]["parts"][-1] == {
            "type": "tool-result",
            "toolCallId": "t",
            "content": '{"place":"here"}',
            "state": "complete",
        }
        (_, loaded) = (await http.get(f"{CHAT}/c/messages")).json()
        for part in (*loaded["parts"], *after["parts"]):
            part.pop("callProviderMetadata", None)
        assert loaded["parts"] == after["parts"] and loaded["id"] == before["id"]


async def test_what_comes_with_a_send_reaches_the_model(tmp_path: Path) -> None:
    """The client's own ``body`` is data, like ``data`` itself."""
    async with serving(tmp_path) as (http, model):
        await http.post(CHAT, json=sending(user("u1"), tone="dry", data={"tone": "kind", "to": "Ada"}))
        assert dict(model.asked[0][1].data) == {"tone": "kind", "to": "Ada"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", CHAT, {"messages": []}, 400, "id: is missing"),
        ("POST", CHAT, {"id": "c"}, 400, "messages: must be the list"),
        ("POST", CHAT, {"id": "c", "messages": [{}]}, 400, "messages[0].role"),
        (
            "POST",
            CHAT,
            {"id": "c", "messages": [{"role": "user", "id": "u", "parts": [{}]}]},
            400,
            "messages[0].parts[0]",
        ),
        ("POST", CHAT, {**sending(user("u")), "from": -1}, 400, "from:"),
        ("POST", CHAT, {**sending(user("u")), "data": []}, 400, "data: must be an object"),
        ("GET", f"{CHAT}/%20/stream", None, 400, "id: must be"),
        ("GET", f"{CHAT}/c/stream?from=x", None, 400, "from:"),
        ("GET", f"{CHAT}/c%2Fd/messages", None, 404, ""),
        ("POST", f"{CHAT}/c/stop", {"runId": 7}, 400, "runId:"),
        ("POST", CHAT, {**sending(user("u")), "pad": "x" * (6 * 1024 * 1024)}, 413, "The request is over"),
    ],
)
async def test_an_error_is_the_text_that_the_page_shows(
    tmp_path: Path, method: str, path: str, body: Any, status: int, says: str
) -> None:
    """Plain text: the client takes the body as it is for the message."""
    async with serving(tmp_path) as (http, model):
        refused = await http.request(method, path, **({} if body is None else {"json": body}))
        assert refused.status_code == status and (not says or refused.text.startswith(says))
        if says:
            assert refused.headers["content-type"] == "text/plain; charset=utf-8"
            assert refused.headers["cache-control"] == "no-store"
        assert not model.asked


async def test_a_second_answer_has_to_wait(tmp_path: Path) -> None:
    """409 while one is written, in another tab for example."""
    async with serving(tmp_path) as (http, model):
        model.gate.clear()
        sent = asyncio.create_task(http.post(CHAT, json=sending(user("u1"))))
        await until_running(http)
        busy = await http.post(CHAT, json=sending(user("u1"), trigger="regenerate-message"))
        assert busy.status_code == 409 and busy.text.startswith("Stream already in use")
        model.gate.set()
        assert (await sent).status_code == 200


async def test_a_log_out_of_reach_is_told_in_words(tmp_path: Path) -> None:
    """503 on every route, before any of the answer."""
    log = FaultyLog(SqliteLog(tmp_path / "chat.db"))
    log.unreachable = True
    async with serving(tmp_path, log) as (http, _):
        for request in (
            http.post(CHAT, json=sending(user("u1"))),
            http.get(f"{CHAT}/c/stream"),
            http.get(f"{CHAT}/c/messages"),
            http.post(f"{CHAT}/c/stop"),
        ):
            refused = await request
            assert refused.status_code == 503 and refused.text.startswith("The chat log cannot be reached")
            assert refused.headers["retry-after"] == "1"


async def test_other_modes_and_a_stop_that_is_switched_off_say_so(tmp_path: Path) -> None:
    """In words, not as a failure of the server."""
    async with serving(tmp_path, mode="shared", enable_stop=False) as (http, _):
        refused = await http.post(CHAT, json=sending(user("u1")))
        assert refused.status_code == 404 and "CHAT_MODE=session" in refused.text
        assert (await http.post(f"{CHAT}/c/stop")).status_code == 403
