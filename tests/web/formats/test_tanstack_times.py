"""How long TanStack's responses may take, by the limits of the process that serves them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request

from resumable_chat.errors import LogUnavailable
from resumable_chat.web.chat import ResumableChat
from resumable_chat.web.formats.tanstack import read, send
from resumable_chat.web.host import Host
from resumable_chat.web.responses import BodyBroken

from ...chats import Words
from ...logs import OURS, VirtualLog, answer, events_in, message, turn
from ...virtual import run

REJOIN_SECONDS = 2.0
"""How long @tanstack/ai-client waits for the first event of a join: REJOIN_CONNECT_DEADLINE_MS."""


class Limited(Host):
    """A process whose invocations end after 100 seconds, and the work behind them after ``work``."""

    mode = "session"
    delivery = "response"

    def __init__(self, chat: ResumableChat, source: Any, work: float = 50) -> None:
        self._chat = chat
        self._work = work
        self._source = source

    @property
    def chat(self) -> ResumableChat:
        return self._chat

    @property
    def source(self) -> Any:
        return self._source

    def stream(self, request: Request, chat_id: str) -> str:
        return chat_id

    def wait_until(self, request: Request) -> None:
        return None

    def deadline(self, request: Request, *, behind: bool = False) -> float:
        return asyncio.get_running_loop().time() + (self._work if behind else 100)


def request(method: str, query: str = "", body: Any = None) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    scope = {"type": "http", "method": method, "path": "/", "query_string": query.encode(), "headers": []}
    return Request(scope, receive)


async def heard(response: Any) -> tuple[list[str], BaseException | None]:
    received = b""
    try:
        async for part in response.body_iterator:
            received += part
    except BodyBroken as broken:
        return [chunk["type"] for _, chunk in events_in(received)], broken
    return [chunk["type"] for _, chunk in events_in(received)], None


def test_a_run_ends_itself_before_the_work_behind_its_response_is_cut_off() -> None:
    """So the client gets a terminal."""

    async def play() -> None:
        host = Limited(ResumableChat(VirtualLog()), Words("1", gate=asyncio.Event()))
        began = asyncio.get_running_loop().time()
        body = {"threadId": "c", "messages": [{"id": "u", "role": "user", "content": "hi"}]}
        kinds, broken = await heard(await send(host, request("POST", body=body)))
        assert (kinds[-1], broken) == ("RUN_ERROR", None)
        assert asyncio.get_running_loop().time() - began < 50
        await host.chat.close()

    run(play())


def test_a_send_is_broken_off_if_its_response_must_end_before_the_run() -> None:
    """Its client comes back for the rest."""

    async def play() -> None:
        host = Limited(ResumableChat(VirtualLog()), Words("1", gate=asyncio.Event()), work=300)
        began = asyncio.get_running_loop().time()
        body = {"threadId": "c", "messages": [{"id": "u", "role": "user", "content": "hi"}]}
        kinds, broken = await heard(await send(host, request("POST", body=body)))
        assert kinds[-1] == "TEXT_MESSAGE_CONTENT" and isinstance(broken, BodyBroken)
        assert 90 < asyncio.get_running_loop().time() - began < 100
        await host.chat.stop_session("c")
        await asyncio.sleep(30)
        await host.chat.close()

    run(play())


def test_a_join_is_broken_off_before_the_invocation_ends() -> None:
    """The writer is another process, which goes on."""

    async def play() -> None:
        log = VirtualLog()
        log.add(OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", finish=False), stream="c")

        async def beats() -> None:
            while True:
                await asyncio.sleep(1)
                log.add(b"", stream="c")

        beating = asyncio.create_task(beats())
        host = Limited(ResumableChat(log), Words())
        began = asyncio.get_running_loop().time()
        kinds, broken = await heard(await read(host, request("GET", "id=c&runId=r&offset=-1")))
        assert kinds[0] == "CUSTOM" and "RUN_ERROR" not in kinds and isinstance(broken, BodyBroken)
        assert 90 < asyncio.get_running_loop().time() - began < 100
        beating.cancel()
        await host.chat.close()

    run(play())


def test_a_join_begins_well_within_the_time_that_the_client_waits() -> None:
    """Even if the log does not answer."""

    class Slow(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> Any:
            await asyncio.sleep(5)
            raise LogUnavailable("gone")
            yield []

    async def play() -> None:
        host = Limited(ResumableChat(Slow()), Words())
        began = asyncio.get_running_loop().time()
        response: Any = await read(host, request("GET", "id=c&runId=r&offset=-1"))
        first = await anext(aiter(response.body_iterator))
        assert events_in(first)[0][1]["name"] == "run.accepted"
        assert asyncio.get_running_loop().time() - began < REJOIN_SECONDS / 2
        await response.body_iterator.aclose()
        with pytest.raises(LogUnavailable):
            await read(host, request("GET", "threadId=c"))
        await host.chat.close()
        await asyncio.sleep(30)

    run(play())
