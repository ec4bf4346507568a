"""The operations of a chat, in virtual time: what is accepted is run to its end, or abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from resumable_chat.chat import Accepted, Chat, Options, SendRequest
from resumable_chat.protocol.stop import Stopped
from resumable_chat.sources.port import SourceContext

from .chats import story, user
from .engine.calm import CalmLog, run, taking


class Waiting:
    """A source that says a word and then waits to be called off."""

    def __init__(self) -> None:
        self.calls = 0
        self.ended = asyncio.Event()

    async def __call__(self, messages: Any, context: SourceContext) -> AsyncIterator[Any]:
        self.calls += 1
        try:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "word"}
            await asyncio.sleep(3600)
        finally:
            self.ended.set()


async def sent(chat: Chat, source: Any, run_id: str, **known: Any) -> Accepted:
    outcome = await chat.send("s", SendRequest(messages=[user("u-" + run_id)], run_id=run_id, **known), source)
    assert isinstance(outcome, Accepted)
    return outcome


async def written(chat: Chat, source: Any, run_id: str) -> Accepted:
    outcome = await chat.write("s", SendRequest(run_id=run_id), source)
    assert isinstance(outcome, Accepted)
    return outcome


def test_a_stop_in_the_same_process_ends_the_source_at_once() -> None:
    """Not when the next heartbeat is refused."""

    async def test() -> None:
        log, source = CalmLog(), Waiting()
        chat = Chat(log, Options())
        running = asyncio.create_task(chat.run(await sent(chat, source, "r")))
        await asyncio.sleep(0.2)
        with taking(0.0, tolerance=0.2):
            assert isinstance(await chat.stop("s", "r"), Stopped)
            await source.ended.wait()
            await running
        assert (await story(log, "s"))[-2:] == ["RUN_FINISHED", "<end>"]

    run(test)


@pytest.mark.parametrize("silent", ["read", "append"])
def test_a_shutdown_before_a_shared_run_begins_ends_it(silent: str) -> None:
    """While its history is looked through, and while what came before it is trimmed."""

    async def test() -> None:
        log, source = CalmLog(), Waiting()
        chat = Chat(log, Options(mode="shared"))
        await chat.abandon(await written(chat, source, "before"))
        accepted = await written(chat, source, "r")
        log.silent.add(silent)
        running = asyncio.create_task(chat.run(accepted))
        await asyncio.sleep(1)
        log.silent.clear()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"] and source.calls == 0

    run(test)


def test_what_is_abandoned_is_over_at_once() -> None:
    """The next send finds the chat free."""

    async def test() -> None:
        log, source = CalmLog(), Waiting()
        chat = Chat(log, Options())
        await chat.abandon(await sent(chat, source, "r"))
        assert source.calls == 0 and (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"]
        await sent(chat, source, "next")

    run(test)


def test_a_source_gets_what_the_sender_said() -> None:
    """The run that it continues, the answers to interrupts, the client's tools and its data."""
    seen: list[SourceContext] = []

    async def source(messages: Any, context: SourceContext) -> AsyncIterator[Any]:
        seen.append(context)
        yield {"type": "RUN_FINISHED"}

    async def test() -> None:
        chat = Chat(CalmLog(), Options())
        known = {"parent_run_id": "p", "resume": [{"interruptId": "i"}], "tools": [{"name": "f"}], "data": {"a": 1}}
        await chat.run(await sent(chat, source, "r", **known))

    run(test)
    assert (seen[0].run_id, seen[0].parent_run_id, seen[0].data) == ("r", "p", {"a": 1})
    assert (seen[0].resume, seen[0].tools) == ([{"interruptId": "i"}], [{"name": "f"}])
