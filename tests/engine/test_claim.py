"""Claims of real chats in virtual time: deadlines, take-overs, wrong clocks, and what one process remembers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.log.port import Log
from resumable_chat.protocol import tokens
from resumable_chat.protocol.records import NewRecord, fence

from ..chats import Tab, Words, assistant, chunks_of, story, user
from ..faults import LOST_ANSWER, LOST_REQUEST, FaultyLog
from .calm import CalmLog, run, taking

TURN = ["resumable.turn", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]
RAN = ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED", "<end>"]
LOST = ["TEXT_MESSAGE_END", "RUN_ERROR", "<error>"]
OURS, FOREIGN = tokens.opening(tokens.key_of("dead")), "session-7Qw8xZ1k"


async def send(chat: ResumableChat, *messages: Any, source: Any = None, **options: Any) -> Any:
    return await chat.make_session_response(
        "s", messages=list(messages) or [user("u1")], source=source or Words("a"), **options
    )


async def dead(log: Log, token: str = OURS) -> None:
    """A generation whose writer died in the middle of its answer."""
    chunks = [
        {"type": "RUN_STARTED", "runId": "dead"},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
    ]
    await log.append("s", [fence(token), *(NewRecord(json.dumps(chunk).encode()) for chunk in chunks)])


@pytest.mark.parametrize("clock_ahead", [0.0, 7200.0, -7200.0])
def test_a_dead_writer_is_taken_over_whatever_the_clocks_say(clock_ahead: float) -> None:
    """Its run is closed as lost, and the new one begins behind it, three seconds after the send."""

    async def test() -> None:
        log = CalmLog()
        await dead(log)
        await asyncio.sleep(15)
        with taking(3):
            assert (await send(ResumableChat(log), wait_until=Background().wait_until)).status_code == 202
        await asyncio.sleep(5)
        told = await story(log, "s")
        assert told == ["<session>", "RUN_STARTED", "TEXT_MESSAGE_START", *LOST, "<session>", *TURN, *RAN]
        error = next(chunk for chunk in await chunks_of(log, "s") if chunk["type"] == "RUN_ERROR")
        assert (error["runId"], error["code"], error["message"]) == ("dead", "writer_lost", "An error occurred.")

    run(test, clock_ahead=clock_ahead)


@pytest.mark.parametrize("clock_ahead", [0.0, 7200.0, -7200.0])
@pytest.mark.parametrize("mode", ["session", "shared"])
def test_a_living_writer_is_never_taken_over(mode: Any, clock_ahead: float) -> None:
    """Its next heartbeat shows that it lives, so a sender whose clock is two hours off gets 409 as others do."""

    async def test() -> None:
        log, background, gate = CalmLog(), Background(), asyncio.Event()
        chat, source = ResumableChat(log, mode=mode), Words("a", gate=gate)

        async def ask(run_id: str) -> Any:
            if mode == "session":
                message = user(run_id)
                return await send(chat, message, source=source, run_id=run_id, wait_until=background.wait_until)
            options: Any = {"delivery": "replay", "run_id": run_id, "wait_until": background.wait_until}
            return await chat.make_resumable("s", source, **options)

        assert (await ask("r1")).status_code == 202
        await asyncio.sleep(20)
        refused = await ask("r2")
        assert refused.status_code == 409 and 1 <= int(refused.headers["retry-after"]) <= 5
        assert "an answer is still being written" in json.loads(bytes(refused.body))["detail"]
        gate.set()
        await background.drain(10)
        assert source.calls == 1 and (await story(log, "s"))[-6:] == RAN

    run(test, clock_ahead=clock_ahead)


def test_under_the_lease_a_silent_writer_keeps_its_chat() -> None:
    """The sender is told at once, without being kept waiting."""

    async def test() -> None:
        log = CalmLog()
        await dead(log)
        await asyncio.sleep(14)
        with taking(0):
            refused = await send(ResumableChat(log))
        assert (refused.status_code, refused.headers["retry-after"]) == (409, "1")

    run(test)


def test_a_foreign_writer_may_be_silent_for_a_minute() -> None:
    """Readers leave its run alone for ever; a send takes it over after the foreign lease, which is a setting."""

    async def test() -> None:
        log = CalmLog()
        await dead(log, FOREIGN)
        reader, sender = ResumableChat(log), ResumableChat(log)
        async with Tab(reader, "s"):
            await asyncio.sleep(58)
            refused = await send(sender)
            assert (refused.status_code, refused.headers["retry-after"]) == (409, "2")
            eager = ResumableChat(log, foreign_lease_duration_ms=60_000)
            await asyncio.sleep(600)
            assert await story(log, "s") == ["<session>", "RUN_STARTED", "TEXT_MESSAGE_START"]
            assert (await send(eager)).status_code == 202
        assert (await story(log, "s"))[3:7] == [*LOST, "<session>"]
        await dead(log, FOREIGN)
        await asyncio.sleep(20)
        assert (await send(ResumableChat(log))).status_code == 409
        assert (await send(ResumableChat(log, foreign_lease_duration_ms=20_000))).status_code == 202

    run(test)


@pytest.mark.parametrize("operation", ["append", "tail", "read"])
def test_a_log_that_never_answers_is_given_up_in_ten_seconds(operation: str) -> None:
    """Whatever the send waits for. It says so before a gateway gives up on the request."""

    async def test() -> None:
        log = CalmLog()
        await dead(log)
        await asyncio.sleep(60)
        log.silent.add(operation)
        with taking(10):
            refused = await send(ResumableChat(log))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "try again" in json.loads(bytes(refused.body))["detail"]

    run(test)


def test_unknown_outcomes_are_retried_for_a_while() -> None:
    """Then the send is 503, and nothing was stored."""

    async def test() -> None:
        log = CalmLog()
        faulty = FaultyLog(log, dict.fromkeys(range(100), LOST_REQUEST), delay=0.2)
        assert (await send(ResumableChat(faulty))).status_code == 503
        assert faulty.appends == 8 and await story(log, "s") == []

    run(test)


@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST])
@pytest.mark.parametrize("run_id", ["r", None])
def test_a_claim_with_an_unknown_outcome_lands_once(fault: str, run_id: str | None) -> None:
    """With an idempotency key and without one."""

    async def test() -> None:
        log, source = CalmLog(), Words("a")
        assert (await send(ResumableChat(FaultyLog(log, {0: fault})), source=source, run_id=run_id)).status_code == 202
        assert source.calls == 1 and await story(log, "s") == ["<session>", *TURN, *RAN]

    run(test)


def test_a_claim_that_was_stopped_before_it_was_acknowledged_is_not_repeated() -> None:
    """Also without an idempotency key: the message is there, and its run was stopped."""

    async def test() -> None:
        log, source = CalmLog(), Words("a")

        async def stop(number: int) -> None:
            if number == 1:
                assert (await ResumableChat(log).stop_session("s")).status_code == 202

        chat = ResumableChat(FaultyLog(log, {0: LOST_ANSWER}, before=stop))
        assert (await send(chat, source=source)).status_code == 202
        assert source.calls == 0 and (await story(log, "s")).count("resumable.turn") == 1

    run(test)


def test_an_existing_chat_is_claimed_in_one_round_trip() -> None:
    """The process that ended the last run knows the token; another one needs a second append."""

    async def test() -> None:
        log = CalmLog()
        chat = ResumableChat(log)
        await send(chat)
        for sender, appends in ((chat, 1), (ResumableChat(log), 2), (chat, 2)):
            log.appends = 0
            background = Background()
            assert (await send(sender, user(f"u{appends}"), wait_until=background.wait_until)).status_code == 202
            assert log.appends == appends
            await background.drain(10)

    run(test)


def test_a_process_repeats_only_what_may_have_changed() -> None:
    """After its own last turn it stores the answer alone; after another process's turn, all it was sent."""

    async def test() -> None:
        log = CalmLog()
        one, two = ResumableChat(log), ResumableChat(log)
        listed: list[Any] = []
        for index, chat in enumerate((one, one, one, two)):
            listed = [*listed, user(f"u{index}")]
            cursor = max(0, (await log.tail("s")).seq_num - 1)
            assert (await send(chat, *listed, seen=cursor)).status_code == 202
            listed = [*listed, assistant(f"a{index}", "a")]
        turns = [chunk["value"] for chunk in await chunks_of(log, "s") if chunk.get("name") == "resumable.turn"]
        kept = [(turn["list"]["after"], len(turn["list"]["items"])) for turn in turns]
        assert kept == [(None, 0), ("u0", 1), ("u1", 1), (None, 6)]

    run(test)


@pytest.mark.parametrize(("size", "found"), [(10, True), (60_000, False)])
def test_a_look_back_is_bounded_in_bytes(size: int, found: bool) -> None:
    """A stop 500 records back is found in a chat of small records; one of large ones is not read for it."""

    async def test() -> None:
        log, source, background = CalmLog(), Words("a"), Background()
        assert (await ResumableChat(log).stop_session("s", run_id="r")).status_code == 204
        await log.append("s", [fence(OURS)])
        for _ in range(50):
            await log.append("s", [NewRecord(b"x" * size)] * 10)
        await log.append("s", [fence("end-0000")])
        answered = await send(ResumableChat(log), source=source, run_id="r", wait_until=background.wait_until)
        assert answered.status_code == 202
        await background.drain(10)
        assert source.calls == (0 if found else 1)

    run(test)


@pytest.mark.parametrize("operation", ["read", "tail"])
def test_a_run_whose_history_cannot_be_read_fails_in_half_the_lease(operation: str) -> None:
    """Nobody can tell whether it ran before, so its source is not called, and its chat is not locked."""

    async def test() -> None:
        log, source, background = CalmLog(), Words("a"), Background()
        chat = ResumableChat(log)
        await send(chat)
        log.silent.add(operation)
        answered = await send(chat, user("u2"), source=source, run_id="r", wait_until=background.wait_until)
        assert answered.status_code == 202
        with taking(7.5):
            await background.drain(10)
        log.silent.clear()
        assert source.calls == 0 and (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"]

    run(test)
