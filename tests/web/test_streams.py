"""Responses that carry one answer or one chat, in virtual time: how they begin, last and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from resumable_chat.chat import SendRequest
from resumable_chat.engine.wanted import Wanted
from resumable_chat.errors import BadRequest, LogUnavailable
from resumable_chat.web.chat import ResumableChat
from resumable_chat.web.responses import BodyBroken
from resumable_chat.web.streams import DEADLINE_MARGIN, FIRST_LOOK
from resumable_chat.wire.tanstack import TanStackChat, TanStackRun

from ..chats import Words, user
from ..logs import OURS, VirtualLog, answer, events_in, message, turn
from ..virtual import run

RUNNING = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", finish=False)]
SENT = SendRequest(messages=[user("u")], run_id="r")


def scene(act: Callable[[ResumableChat, VirtualLog], Awaitable[None]], **options: Any) -> None:
    async def play() -> None:
        log = VirtualLog()
        chat = ResumableChat(log, **options)
        try:
            await act(chat, log)
        finally:
            await chat.close()
            await asyncio.sleep(30)

    run(play())


async def received(response: StreamingResponse) -> tuple[list[str], BaseException | None]:
    """The chunk types in a body, and how it broke off."""
    sent = b""
    broken: BaseException | None = None
    try:
        async for part in response.body_iterator:
            sent += bytes(part) if not isinstance(part, str) else part.encode()
    except BodyBroken as error:
        broken = error
    return [chunk["type"] for _, chunk in events_in(sent)], broken


def test_a_send_is_answered_with_its_run_to_the_end() -> None:
    """Nothing comes after the terminal."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        response = await chat.streams.send("s", SENT, Words("1", "2"), TanStackRun())
        kinds, broken = await received(response)
        assert (kinds[0], kinds[-1], broken) == ("RUN_STARTED", "RUN_FINISHED", None)

    scene(act)


def test_the_same_send_again_gets_the_same_run_and_starts_nothing() -> None:
    """While it runs, and after it has ended; after another run, and another copy, it is followed by its id."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        gate = asyncio.Event()
        words = Words("1", gate=gate)
        first = await chat.streams.send("s", SENT, words, TanStackRun())
        again = await chat.streams.send("s", SENT, words, TanStackRun())
        gate.set()
        whole = await received(first)
        assert await received(again) == whole
        assert await received(await chat.streams.send("s", SENT, words, TanStackRun())) == whole
        await received(await chat.streams.send("s", SendRequest([user("v")], "later"), Words("x"), TanStackRun()))
        await received(await chat.streams.send("s", SENT, words, TanStackRun()))
        await received(await chat.streams.send("s", SendRequest([user("w")], "last"), Words("x"), TanStackRun()))
        found = await chat.streams.follow("s", Wanted(run_id="r"), TanStackRun())
        assert found is not None and await received(found) == whole
        assert words.calls == 1

    scene(act)


def test_a_send_that_is_refused_raises() -> None:
    """409 while an answer runs, 422 for a run id that was used for another message."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        await chat.streams.send("s", SENT, Words("1", gate=asyncio.Event()), TanStackRun())
        for request, status in ((SendRequest([user("v")], "other"), 409), (SendRequest([user("v")], "r"), 422)):
            with pytest.raises(BadRequest) as refused:
                await chat.streams.send("s", request, Words(), TanStackRun())
            assert refused.value.status == status

    scene(act)


def test_the_run_goes_on_when_the_reader_leaves() -> None:
    """Also without anybody to hand it to."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        gate = asyncio.Event()
        response = await chat.streams.send("s", SENT, Words("1", gate=gate), TanStackRun())
        await anext(aiter(response.body_iterator))
        await response.body_iterator.aclose()  # type: ignore[union-attr]
        gate.set()
        found = await chat.streams.follow("s", Wanted(run_id="r"), TanStackRun())
        assert found is not None and (await received(found))[0][-1] == "RUN_FINISHED"

    scene(act)


def test_a_run_that_nobody_takes_is_ended() -> None:
    """The chat is not left claimed."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        def refuses(work: Any) -> None:
            raise RuntimeError("no room")

        with pytest.raises(RuntimeError, match="no room"):
            await chat.streams.send("s", SENT, Words("1"), TanStackRun(), wait_until=refuses)
        found = await chat.streams.follow("s", Wanted(run_id="r"), TanStackRun())
        assert found is not None and (await received(found))[0][-1] == "RUN_ERROR"

    scene(act)


def test_at_the_deadline_a_running_answer_breaks_off() -> None:
    """Not before, and never cleanly: clients would take it for whole. An idle reader's lease does not count."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*RUNNING)
        loop = asyncio.get_running_loop()

        async def writes() -> None:
            while True:
                await asyncio.sleep(1)
                log.add(b"")

        writing = asyncio.create_task(writes())
        deadline = loop.time() + 500
        response = await chat.streams.follow("s", Wanted(), TanStackRun(), deadline=deadline)
        assert response is not None
        kinds, broken = await received(response)
        assert isinstance(broken, BodyBroken) and "RUN_FINISHED" not in kinds
        assert deadline - DEADLINE_MARGIN <= loop.time() < deadline
        writing.cancel()

    scene(act, response_lease=60.0)


def test_what_nobody_wrote_is_not_followed() -> None:
    """None for a run that the log does not hold, and for the newest one when none runs."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        for wanted in (Wanted(), Wanted(run_id="r"), Wanted(start=0)):
            assert await chat.streams.follow("s", wanted, TanStackRun()) is None

    scene(act)


def test_a_run_of_another_process_is_found_at_once() -> None:
    """Even if this process has followed the chat for long, and has not heard of the run yet; so are its messages."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*RUNNING)
        held = await chat.streams.follow("s", Wanted(), TanStackRun())
        assert held is not None
        log.add("end-0", OURS, *turn(message("v"), run_id="new"))
        found = await chat.streams.follow("s", Wanted(run_id="new"), TanStackRun())
        assert found is not None
        log.add("end-0", OURS, *turn(message("w"), run_id="newest"))
        document = await chat.streams.document("s", TanStackChat())
        assert b'{"runId":"newest"}' in b"".join([bytes(part) async for part in document.body_iterator])  # type: ignore[arg-type]
        for response in (held, found):
            await response.body_iterator.aclose()  # type: ignore[union-attr]

    scene(act)


def test_a_slow_log_does_not_hold_the_headers_back() -> None:
    """A send's response begins at once, a follower's after its patience; what goes wrong then breaks the body."""

    class Slow(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncIterator[Any]:
            await asyncio.sleep(5)
            raise LogUnavailable("gone")
            yield []

    async def play() -> None:
        loop = asyncio.get_running_loop()
        chat = ResumableChat(Slow())
        began = loop.time()
        response = await chat.streams.send("s", SENT, Words("1"), TanStackRun())
        assert loop.time() - began < FIRST_LOOK + 0.1
        assert isinstance((await received(response))[1], BodyBroken)
        began = loop.time()
        found = await chat.streams.follow("s", Wanted(run_id="r"), TanStackRun(), patience=0.5)
        assert found is not None and loop.time() - began < 0.6
        assert isinstance((await received(found))[1], BodyBroken)
        with pytest.raises(LogUnavailable):
            await chat.streams.follow("s", Wanted(run_id="r"), TanStackRun())
        await chat.close()
        await asyncio.sleep(30)

    run(play())


def test_a_document_is_what_the_chat_is_now() -> None:
    """It does not wait for the answer that runs; reading until nothing runs does."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*RUNNING)
        document = await chat.streams.document("s", TanStackChat())
        assert document.media_type == "application/json" and document.headers["cache-control"] == "no-store"
        parts = [part async for part in document.body_iterator]
        assert b"".join(map(bytes, parts)).endswith(
            b'"activeRun":{"runId":"r"},"interrupts":null,"page":{"truncated":false}}'
        )  # type: ignore[arg-type]
        following = await chat.streams.until_idle("s", TanStackRun())
        log.add({"type": "RUN_FINISHED", "runId": "r"}, "end-0")
        assert "RUN_FINISHED" in (await received(following))[0]

    scene(act)


@pytest.mark.parametrize("mode", ["shared", "single-use"])
def test_other_modes_keep_no_chats(mode: str) -> None:
    """They say how to change that."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        for asked in (
            chat.streams.send("s", SENT, Words("1"), TanStackRun()),
            chat.streams.follow("s", Wanted(), TanStackRun()),
            chat.streams.document("s", TanStackChat()),
            chat.streams.until_idle("s", TanStackRun()),
        ):
            with pytest.raises(BadRequest, match="CHAT_MODE=session") as refused:
                await asked
            assert refused.value.status == 404

    scene(act, mode=mode)
