"""The routes of AG-UI's clients, as a client over HTTP gets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ...wire.ag_ui.verifier import verify
from .test_tanstack import caller, detail, sent, served

URL = "/api/ag-ui"
CONNECT = f"{URL}/connect"
ROWS = [{"id": "u", "role": "user", "content": "hi"}]

Chunk = dict[str, Any]


def run_input(run_id: str = "r", **more: Any) -> dict[str, Any]:
    """A RunAgentInput as a client of 1.0 writes it."""
    body = {"threadId": "c", "runId": run_id, "protocolVersion": "1.0", "messages": ROWS, "tools": [], "context": []}
    return {**body, "forwardedProps": {}, **more}


async def answer(messages: Any, context: Any) -> AsyncIterator[Chunk]:
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "Hello."}


def kinds(events: list[tuple[int | None, Chunk]]) -> list[str]:
    return [event["type"] for _, event in events]


def rows(events: list[tuple[int | None, Chunk]]) -> list[Any]:
    (listed,) = [event["messages"] for _, event in events if event["type"] == "MESSAGES_SNAPSHOT"]
    return [(row["role"], row.get("content")) for row in listed]


async def test_a_run_is_answered_until_its_end(tmp_path: Path) -> None:
    """Under the ids that the client gave the chat and the run."""
    async with served(tmp_path, answer) as http:
        events = sent(await http.post(URL, json=run_input()))
        verify([event for _, event in events], current=True)
        first, last = events[0][1], events[-1][1]
        assert (first["threadId"], first["runId"], first["protocolVersion"]) == ("c", "r", "1.0")
        assert (last["type"], last["outcome"]) == ("RUN_FINISHED", {"type": "success"})
        assert [event["delta"] for _, event in events if "delta" in event] == ["Hello."]


async def test_an_old_client_gets_what_it_knows(tmp_path: Path) -> None:
    """A client that names no version, or one before 1.0, knows no version and no outcome of success."""
    async with served(tmp_path, answer) as http:
        for number, version in enumerate(
            ({"protocolVersion": None}, {"protocolVersion": "0.9"}, {"protocolVersion": 2})
        ):
            events = sent(await http.post(URL, json=run_input(threadId=f"old-{number}", **version)))
            verify([event for _, event in events], current=False)


async def test_the_same_run_twice_is_one_answer(tmp_path: Path) -> None:
    """The second request gets it from its start; with Last-Event-ID, only what came after it."""
    calls = 0

    async def counted(messages: Any, context: Any) -> AsyncIterator[Chunk]:
        nonlocal calls
        calls += 1
        async for chunk in answer(messages, context):
            yield chunk

    async with served(tmp_path, counted) as http:
        await http.post(URL, json=run_input())
        whole = sent(await http.post(URL, json=run_input()))
        for at, (cursor, _) in enumerate(whole[:-1]):
            if cursor is not None:
                headers = {"Last-Event-ID": str(cursor)}
                assert sent(await http.post(URL, json=run_input(), headers=headers)) == whole[at + 1 :]
        ended = {"Last-Event-ID": str(whole[-1][0])}
        assert sent(await http.post(URL, json=run_input(), headers=ended)) == [(None, whole[-1][1])]
        assert calls == 1


async def test_last_event_id_starts_nothing(tmp_path: Path) -> None:
    """A run that the chat does not have is a 404, and a missing id a 400."""
    async with served(tmp_path, answer) as http:
        headers = {"Last-Event-ID": "3"}
        assert detail(await http.post(URL, json=run_input(), headers=headers)) == (
            404,
            "runId: this chat has no such run.",
        )
        status, words = detail(await http.post(URL, json=run_input(runId=None), headers=headers))
        assert status == 400 and words.startswith("runId: is missing")
        assert rows(sent(await http.post(CONNECT, json=run_input()))) == []


async def test_connect_brings_the_history(tmp_path: Path) -> None:
    """As one run that ends at once, under the client's own id."""
    async with served(tmp_path, answer) as http:
        await http.post(URL, json=run_input())
        events = sent(await http.post(CONNECT, json={"threadId": "c", "runId": "mine"}))
        assert kinds(events) == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
        assert {event["runId"] for _, event in events if "runId" in event} == {"mine"}
        assert rows(events) == [("user", "hi"), ("assistant", "Hello.")]


async def test_connect_brings_the_running_answer_up_to_its_end(tmp_path: Path) -> None:
    """Behind the history, with the pending message of the user in it."""
    go, said = asyncio.Event(), asyncio.Event()

    async def waiting(messages: Any, context: Any) -> AsyncIterator[Chunk]:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "a"}
        said.set()
        await go.wait()
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "b"}

    async with served(tmp_path, waiting) as http, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(http.post(URL, json=run_input()))
        await said.wait()
        joining = tasks.create_task(http.post(CONNECT, json=run_input("other")))
        await asyncio.sleep(0.05)
        go.set()
        await running
        events = sent(await joining)
        verify([event for _, event in events], current=True)
        assert events[0][1]["runId"] == "r" and rows(events) == [("user", "hi")]
        assert "".join(event["delta"] for _, event in events if "delta" in event) == "ab"


async def test_an_interrupt_is_asked_again_and_answered(tmp_path: Path) -> None:
    """Its answer reaches the source, and changes nothing of what is stored."""
    seen: list[Any] = []

    async def asking(messages: Any, context: Any) -> AsyncIterator[Chunk]:
        seen.append((context.resume, [message["role"] for message in messages]))
        run = {"runId": context.run_id, "threadId": context.thread_id}
        yield {"type": "RUN_STARTED", **run}
        if context.resume:
            yield {"type": "TOOL_CALL_RESULT", "toolCallId": "k", "messageId": "x", "content": "booked"}
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "Done."}
            return
        yield {"type": "TOOL_CALL_START", "toolCallId": "k", "toolCallName": "book"}
        yield {"type": "TOOL_CALL_END", "toolCallId": "k"}
        asked = {"type": "interrupt", "interrupts": [{"id": "i", "reason": "tool_call", "toolCallId": "k"}]}
        yield {"type": "RUN_FINISHED", **run, "outcome": asked}

    async with served(tmp_path, asking) as http:
        await http.post(URL, json=run_input())
        history = sent(await http.post(CONNECT, json=run_input("mine")))
        assert history[-1][1]["outcome"]["interrupts"][0]["id"] == "i" and history[-1][1]["runId"] == "r"
        listed = history[1][1]["messages"]
        resume = [{"interruptId": "i", "status": "resolved", "payload": {"yes": True}}]
        events = sent(await http.post(URL, json=run_input("r2", messages=listed, resume=resume)))
        verify([event for _, event in events], current=True)
        assert events[0][1]["parentRunId"] == "r"
        assert seen == [((), ["user"]), (resume, ["user", "assistant"])]
        after = sent(await http.post(CONNECT, json=run_input("mine")))
        assert after[-1][1]["outcome"] == {"type": "success"}
        assert rows(after) == [("user", "hi"), ("assistant", None), ("tool", "booked"), ("assistant", "Done.")]


async def test_what_is_for_the_source_reaches_it(tmp_path: Path) -> None:
    """State, context and forwarded properties as its data, and the client's tools."""
    seen: list[Any] = []

    async def noting(messages: Any, context: Any) -> AsyncIterator[Chunk]:
        seen.append((context.data, context.tools))
        async for chunk in answer(messages, context):
            yield chunk

    tools = [{"name": "f", "description": "d", "parameters": {}}]
    given = {"state": {"a": 1}, "context": [{"description": "d", "value": "v"}], "forwardedProps": {"b": 2}}
    async with served(tmp_path, noting) as http:
        await http.post(URL, json=run_input(**given, tools=tools))
    assert seen == [(given, tools)]


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"threadId": None}, 400, "threadId: is missing"),
        ({"threadId": "../x"}, 400, "threadId: must be 1 to 128"),
        ({"messages": "x"}, 400, "messages: must be a list"),
        ({"messages": []}, 400, "messages: is empty"),
        ({"runId": 5}, 400, "runId: must be a string"),
        ({"resume": {}}, 400, "resume: must be a list"),
        ({"resume": [{"interruptId": 5}]}, 400, "resume[0].interruptId: must be a string"),
        ({"resume": [{"interruptId": "i", "status": []}]}, 400, "resume[0].status: must be one of"),
        ({"tools": {}}, 400, "tools: must be a list"),
        ({"messages": [{"id": "u", "role": "user", "content": "x" * 7_000_000}]}, 413, "The request is over"),
    ],
)
async def test_a_bad_input_is_told_what_to_change(
    tmp_path: Path, more: dict[str, Any], status: int, words: str
) -> None:
    """By the name of its field."""
    async with served(tmp_path, answer) as http:
        found, said = detail(await http.post(URL, json=run_input(**more)))
        assert found == status and said.startswith(words)


async def test_a_chat_is_its_owners(tmp_path: Path) -> None:
    """A caller without a name is refused by both routes, and another's chat is empty; ids must not contradict."""
    async with served(tmp_path, answer, owner=caller) as http:
        for url in (URL, CONNECT):
            assert detail(await http.post(url, json=run_input()))[0] == 401
        await http.post(URL, json=run_input(), headers={"Authorization": "ada"})
        other = await http.post(CONNECT, json=run_input(), headers={"Authorization": "bob"})
        assert rows(sent(other)) == []
        status, words = detail(await http.post(f"{URL}?id=d", json=run_input(), headers={"Authorization": "ada"}))
        assert status == 400 and words.startswith("threadId: ")
