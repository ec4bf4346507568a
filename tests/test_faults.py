"""Processes that are killed and frozen, and connections that are cut, at the worst of times."""

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

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.log.port import Log
from resumable_chat.transcript import StreamProcessor

from .chats import ENGINE, Words, frames, fresh_chat, replayed, story, user
from .log.engines import ENGINES, S2_ENDPOINT, fresh_basin
from .servers import local_server

LEASE = {"CHAT_LEASE_MS": "3000"}


@asynccontextmanager
async def shared_log(folder: Path) -> AsyncIterator[tuple[Log, dict[str, str]]]:
    """A log, and the settings with which other processes open it."""
    from resumable_chat import S2Log, SqliteLog

    log: Log
    if ENGINE == "s2":
        basin = await fresh_basin()
        environ = {
            "CHAT_LOG": "",
            "S2_ACCESS_TOKEN": "ignored",
            "S2_BASIN": basin,
            "S2_ACCOUNT_ENDPOINT": S2_ENDPOINT,
            "S2_BASIN_ENDPOINT": S2_ENDPOINT,
        }
        log = S2Log(access_token="ignored", basin=basin, endpoints=(S2_ENDPOINT, S2_ENDPOINT))
    else:
        environ = {}
        log = SqliteLog(folder / "chat.db")
    try:
        yield log, environ
    finally:
        await log.close()


async def send(base: str, message_id: str, **fields: Any) -> int:
    async with httpx.AsyncClient(base_url=base, timeout=20) as http:
        return (await http.post("/api/chat", json={"id": "c", "messages": [user(message_id)], **fields})).status_code


async def watch(base: str, until: str, cursor: int | None = None) -> list[tuple[int, dict[str, Any]]]:
    """The events of one replay, up to one that contains the text."""
    received = b""
    query = "" if cursor is None else f"&from={cursor}"
    async with (
        httpx.AsyncClient(base_url=base, timeout=40) as http,
        asyncio.timeout(40),
        http.stream("GET", f"/api/chat/replay?id=c{query}") as response,
    ):
        async for part in response.aiter_bytes():
            received += part
            if any(until in str(chunk) for _, chunk in frames(received[: received.rfind(b"\n\n") + 2])):
                break
    return frames(received[: received.rfind(b"\n\n") + 2])


@pytest.mark.timeout(120)
async def test_killed_between_claim_and_first_chunk(tmp_path: Path) -> None:
    """The message is there, its run is closed for readers after the lease, and the next send is taken."""
    async with shared_log(tmp_path) as (log, where):
        with local_server(tmp_path / "chat.db", **where, **LEASE, CHAT_SOURCE="tests.models:silent") as (base, process):
            assert await send(base, "u1") == 202
            process.kill()
            process.wait()
        with local_server(tmp_path / "chat.db", **where, **LEASE) as (base, _):
            events = await watch(base, "writer_lost")
            assert events[0][1]["messages"][0]["id"] == "u1"
            assert await send(base, "u2") == 202
            await watch(base, "RUN_FINISHED", events[-1][0])
        told = await story(log, "c")
        first = told[: told.index("<error>")]
        assert first[-1] == "RUN_ERROR" and first.count("RUN_ERROR") == 1
        assert told.count("<session>") == 2 and told[-1] == "<end>"


@pytest.mark.timeout(120)
async def test_killed_in_mid_answer(tmp_path: Path) -> None:
    """Every word that a reader saw is stored; another process ends the dead run for its readers, then takes sends."""
    async with shared_log(tmp_path) as (log, where):
        with (
            local_server(tmp_path / "chat.db", **where, **LEASE, CHAT_SOURCE="tests.models:slow") as (base, process),
            local_server(tmp_path / "chat.db", **where, **LEASE) as (other, _),
        ):
            assert await send(base, "u1") == 202
            before = await watch(base, "word3")
            process.kill()
            process.wait()
            assert await send(other, "u2") == 409
            events = await watch(other, "writer_lost", before[-1][0])
            assert [chunk["type"] for _, chunk in events][-2:] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
            assert await send(other, "u2") == 202
            await watch(other, "RUN_FINISHED", events[-1][0])
            fresh = await watch(other, "MESSAGES_SNAPSHOT")
        said = "".join(chunk.get("delta", "") for _, chunk in before + events)
        answer = next(message for message in fresh[0][1]["messages"] if message["role"] == "assistant")
        assert "".join(part["content"] for part in answer["parts"] if part["type"] == "text") == said
        assert "word3" in said
        told = await story(log, "c")
        assert told.count("<session>") == 2 and told.count("<error>") == 1 and told[-1] == "<end>"


@pytest.mark.timeout(180)
async def test_frozen_longer_than_the_lease_and_woken(tmp_path: Path) -> None:
    """A writer that was closed while it slept writes nothing more, and its readers see what everybody sees."""
    async with shared_log(tmp_path) as (log, where):
        with (
            local_server(tmp_path / "chat.db", **where, **LEASE, CHAT_SOURCE="tests.models:slow") as (frozen, process),
            local_server(tmp_path / "chat.db", **where, **LEASE) as (other, _),
        ):
            assert await send(frozen, "u1") == 202
            before = await watch(frozen, "word1")
            os.kill(process.pid, signal.SIGSTOP)
            try:
                await watch(other, "writer_lost")
                assert await send(other, "u2", runId="second") == 202
                await watch(other, "RUN_FINISHED")
                closed = await story(log, "c")
            finally:
                os.kill(process.pid, signal.SIGCONT)
            await asyncio.sleep(2)
            assert await story(log, "c") == closed
            assert await send(frozen, "u3") == 202
            after = await watch(frozen, "word1", before[-1][0])
            fresh = await watch(other, "word1")
        assert after[0][1]["type"] == "MESSAGES_SNAPSHOT"
        assert after[0][1]["messages"] == fresh[0][1]["messages"]
        assert [message["id"] for message in after[0][1]["messages"] if message["role"] == "user"] == ["u1", "u2", "u3"]


async def shown(events: list[tuple[int, dict[str, Any]]]) -> Any:
    fold = StreamProcessor()
    for at, chunk in events:
        fold.process(chunk, seq=at, timestamp=0)
    return [(message["id"], message["role"], message["parts"]) for message in fold.messages]


@pytest.mark.timeout(180)
async def test_a_connection_cut_at_every_byte(tmp_path: Path) -> None:
    """Whatever part of a replay arrived, coming back with the last whole event's id ends in the same messages.

    At once, after the run's end, and after another turn.
    """
    gate = asyncio.Event()

    async def model(messages: Any, context: Any) -> AsyncIterator[dict[str, Any]]:
        answer = context.message_id
        yield {"type": "TOOL_CALL_START", "toolCallId": "call", "toolCallName": "look", "parentMessageId": answer}
        yield {"type": "TOOL_CALL_ARGS", "toolCallId": "call", "delta": '{"ä":'}
        yield {"type": "TOOL_CALL_ARGS", "toolCallId": "call", "delta": "1}"}
        yield {"type": "TOOL_CALL_END", "toolCallId": "call"}
        for index in range(4):
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": f"wörd {index} "}
            await asyncio.sleep(0.1)
        await gate.wait()

    # What is cut is on the reader's side of the log: any log will do.
    async with ENGINES["sqlite"](tmp_path) as log:
        chat, background = ResumableChat(log), Background()
        await chat.make_session_response("s", messages=[user("u0", "before")], source=Words("answer"))
        await chat.make_session_response("s", messages=[user("u1")], source=model, wait_until=background.wait_until)
        async with asyncio.timeout(20):
            while (await story(log, "s")).count("TEXT_MESSAGE_CONTENT") < 2 + 1 + 4:
                await asyncio.sleep(0.05)
        response = await ResumableChat(log).replay("s", live=False)
        body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
        assert len(frames(body)) > 5
        for stage in ("running", "ended", "followed"):
            if stage == "ended":
                gate.set()
                await background.drain(20)
            elif stage == "followed":
                await chat.make_session_response("s", messages=[user("u2", "after")], source=Words("more"))
            async with fresh_chat(tmp_path, log=Unclosed(log)) as reader:  # type: ignore[arg-type]
                whole = await shown(await replayed(reader, "s"))
                rest: dict[int | None, list[tuple[int, dict[str, Any]]]] = {}
                for cut in range(len(body) + 1):
                    events = frames(body[: body.rfind(b"\n\n", 0, cut) + 2])
                    cursor = events[-1][0] if events else None
                    if cursor not in rest:
                        rest[cursor] = await replayed(reader, "s", cursor)
                    elif cut % 7:
                        continue  # The same events and the same cursor: now and then is enough.
                    ids = [at for at, _ in events] + [at for at, _ in rest[cursor]]
                    assert ids == sorted(ids), (stage, cut)
                    assert await shown(events + rest[cursor]) == whole, (stage, cut)


class Unclosed:
    """A log that outlives the chats on it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def close(self) -> None:
        pass
