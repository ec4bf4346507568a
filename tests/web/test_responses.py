"""The body of a replay in virtual time: keep-alives, leases, slices, and ends that clients understand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from resumable_chat.errors import LogUnavailable
from resumable_chat.web.chat import LAMBDA_RESPONSE_SECONDS, ResumableChat
from resumable_chat.web.responses import KEEP_ALIVE_SECONDS, BodyBroken
from resumable_chat.wire.sse import KEEP_ALIVE, MAX_SLICE, OPENED

from ..logs import OURS, VirtualLog, answer, events_in, finished, message, turn
from ..virtual import run

RUNNING = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", finish=False)]
ENDED = [*RUNNING, {"type": "TEXT_MESSAGE_END", "messageId": "a"}, finished("r"), "end-0"]
TIMING = Path(__file__).parents[2] / "client" / "src" / "timing.ts"


def scene(act: Callable[[ResumableChat, VirtualLog], Awaitable[None]], **options: Any) -> None:
    """Run a test in virtual time with a chat on a log."""

    async def play() -> None:
        log = VirtualLog()
        chat = ResumableChat(log, **options)
        try:
            await act(chat, log)
        finally:
            await chat.close()
            await asyncio.sleep(10)

    run(play())


def parts(response: Response) -> AsyncIterator[bytes]:
    return response.body_iterator  # type: ignore[attr-defined,no-any-return]


async def heard(
    response: Response, seconds: float = 10_000.0
) -> tuple[list[tuple[float, bytes]], BaseException | None]:
    """The parts of a body with the loop time of each, until it ends or ``seconds`` are over, and how it broke off."""
    loop = asyncio.get_running_loop()
    found: list[tuple[float, bytes]] = []
    try:
        async with asyncio.timeout(seconds):
            async for part in parts(response):
                found += [(loop.time(), part)]
    except TimeoutError:
        return found, None
    except Exception as error:  # noqa: BLE001 - it is what the test asks for
        return found, error
    return found, None


async def leaving(response: Response) -> None:
    await parts(response).aclose()  # type: ignore[attr-defined]


def test_silence_is_filled_well_within_the_client_s_patience() -> None:
    """A comment every fifteen seconds; the client breaks a stream off after three times as long."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*ENDED)
        found, _ = await heard(await chat.replay("s"), 100)
        times = [at for at, part in found if part == KEEP_ALIVE]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert len(times) == 6 and gaps == pytest.approx([15.0] * 5)

    scene(act)
    patience = re.search(r"stalledAfter: ([\d_]+),", TIMING.read_text())
    assert patience is not None and int(patience[1].replace("_", "")) >= 3000 * KEEP_ALIVE_SECONDS


def test_an_idle_lease_ends_after_a_keep_alive() -> None:
    """On Lambda after a minute: the client comes back when it likes."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*ENDED)
        found, broken = await heard(await chat.replay("s"))
        assert broken is None and found[-1] == (pytest.approx(60.0, abs=0.1), KEEP_ALIVE)

    scene(act, response_lease=LAMBDA_RESPONSE_SECONDS)


def test_a_lease_breaks_a_running_answer_off() -> None:
    """A body that ended well would let clients settle on half an answer."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add("session-foreign", *RUNNING[1:])
        found, broken = await heard(await chat.replay("s"))
        assert isinstance(broken, BodyBroken) and found[-1][0] == pytest.approx(60.0, abs=15.1)
        assert asyncio.get_running_loop().time() == pytest.approx(60.0, abs=0.1)

    scene(act, response_lease=LAMBDA_RESPONSE_SECONDS)


@pytest.mark.parametrize("lease", [None, 60.0])
def test_a_response_ends_two_seconds_before_the_platform_does(lease: float | None) -> None:
    """Whatever the lease: a process that is ended in mid-response ends the answers of others with it."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*ENDED)
        await heard(await chat.replay("s", deadline=30.0))
        assert asyncio.get_running_loop().time() == pytest.approx(28.0)

    scene(act, response_lease=lease)


@pytest.mark.parametrize("mode", ["shared", "single-use"])
def test_a_running_answer_outlasts_the_lease_of_idle_readers(mode: str) -> None:
    """Its responses last as long as the function can: the sender's until the writer ends it, others break off."""

    async def slow() -> AsyncIterator[dict[str, Any]]:
        for word in range(1000):
            await asyncio.sleep(5)
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": f"{word} "}

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        sending = asyncio.create_task(heard(await chat.make_resumable("s", slow(), deadline=300.0)))
        _, broken = await heard(await chat.replay("s", deadline=200.0))
        assert isinstance(broken, BodyBroken)
        assert asyncio.get_running_loop().time() == pytest.approx(198.0)
        sent, broken = await sending
        assert broken is None and asyncio.get_running_loop().time() > 280
        events = events_in(b"".join(part for _, part in sent))
        assert len(events) > 50 and events[-1][1].get("code") == "deadline"

    scene(act, mode=mode, response_lease=LAMBDA_RESPONSE_SECONDS)


@pytest.mark.parametrize("mode", ["session", "shared", "single-use"])
def test_a_replay_that_is_not_live_ends_after_what_is_there(mode: str) -> None:
    """Also in the middle of an answer, in all modes."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*RUNNING)
        found, broken = await heard(await chat.replay("s", live=False))
        assert broken is None and asyncio.get_running_loop().time() < 1
        assert events_in(b"".join(part for _, part in found))[-1][1]["delta"] == "1"

    scene(act, mode=mode)


def test_the_answer_of_an_earlier_run_is_not_that_of_the_newest() -> None:
    """A request that is repeated after another run began finds nothing to read."""

    async def words(word: str) -> AsyncIterator[dict[str, Any]]:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": word}

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        first = await heard(await chat.make_resumable("s", words("one"), run_id="r1"))
        assert b"one" in b"".join(part for _, part in first[0])
        again = await heard(await chat.make_resumable("s", words("two"), run_id="r1"))
        assert b"one" in b"".join(part for _, part in again[0])

    scene(act, mode="shared")


def test_long_bodies_leave_in_slices() -> None:
    """The server waits for the reader between two of them, so it never holds the chat."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(OURS, *turn(message("u", "x" * 900_000)), *answer("a", "r", *["y" * 900_000] * 3), "end-0")
        found, _ = await heard(await chat.replay("s", live=False))
        assert max(len(part) for _, part in found) == MAX_SLICE
        (_, snapshot), *_ = events_in(b"".join(part for _, part in found))
        assert len(snapshot["messages"][1]["parts"][0]["content"]) == 2_700_000

    scene(act)


def test_a_lease_ends_between_two_slices() -> None:
    """A reader that takes a minute for the first half must not hold the function."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(OURS, *turn(message("u", "x" * 900_000)), *answer("a", "r", *["y" * 900_000] * 3), "end-0")
        taken = 0
        with pytest.raises(BodyBroken):
            async for _ in parts(await chat.replay("s")):
                await asyncio.sleep(10)
                taken += 1
        assert taken == 6

    scene(act, response_lease=LAMBDA_RESPONSE_SECONDS)


def test_headers_and_the_first_byte_come_before_a_slow_log() -> None:
    """A client knows that it is connected."""

    class Slow(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncIterator[Any]:
            await asyncio.sleep(5)
            yield []

    async def play() -> None:
        chat = ResumableChat(Slow())
        response = await chat.replay("s")
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert await anext(parts(response)) == OPENED
        assert asyncio.get_running_loop().time() < 1
        await leaving(response)
        await chat.close()

    run(play())


@pytest.mark.parametrize("delay", [0.0, 1.0])
def test_a_log_out_of_reach_is_a_503_or_breaks_the_body(delay: float, caplog: pytest.LogCaptureFixture) -> None:
    """Before the headers, and after them; one line says so."""

    class Gone(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncIterator[Any]:
            await asyncio.sleep(delay)
            raise LogUnavailable("gone")
            yield []

    async def play() -> None:
        response = await ResumableChat(Gone()).replay("s")
        if delay:
            _, broken = await heard(response)
            assert isinstance(broken, BodyBroken)
        else:
            assert response.status_code == 503 and response.headers["retry-after"] == "1"

    run(play())
    assert len(caplog.records) == 1 and caplog.records[0].exc_info is None


@pytest.mark.parametrize("mode", ["session", "shared"])
@pytest.mark.parametrize("delay", [0.0, 1.0])
def test_an_internal_error_is_logged_and_says_nothing_of_the_log(
    mode: str, delay: float, caplog: pytest.LogCaptureFixture
) -> None:
    """With its traceback; the client gets a 500, or a body that breaks off."""

    class Broken(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncIterator[Any]:
            await asyncio.sleep(delay)
            raise ZeroDivisionError
            yield []

    async def play() -> None:
        response = await ResumableChat(Broken(), mode=mode).replay("s")  # type: ignore[arg-type]
        if response.status_code == 200:
            _, broken = await heard(response)
            assert isinstance(broken, BodyBroken) and "log" not in str(broken)
        else:
            assert response.status_code == 500 and b"log" not in bytes(response.body)

    run(play())
    assert "ZeroDivisionError" in caplog.text


def test_too_many_readers_are_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """It closes the connection, and says when to come back."""
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (34, 34))

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*ENDED)
        first, second, third = [await chat.replay("s") for _ in range(3)]
        assert [first.status_code, second.status_code, third.status_code] == [200, 200, 503]
        assert (third.headers["connection"], third.headers["retry-after"]) == ("close", "5")
        assert b"readers" in bytes(third.body)
        await leaving_before_it_began(first)
        fourth = await chat.replay("s")
        assert fourth.status_code == 200
        for response in (second, fourth):
            await leaving_before_it_began(response)

    scene(act)


async def leaving_before_it_began(response: Response) -> None:
    """A client that is gone before the headers are out."""

    async def gone(event: Any) -> None:
        raise OSError("the client is gone")

    with pytest.raises((OSError, ClientDisconnect)):
        await response({"type": "http", "asgi": {"spec_version": "2.4"}}, asyncio.Event().wait, gone)  # type: ignore[arg-type]


def test_a_response_that_never_began_leaves_no_reader() -> None:
    """Its follower ends, like that of any other reader."""

    async def act(chat: ResumableChat, log: VirtualLog) -> None:
        log.add(*ENDED)
        response = await chat.replay("s")
        await asyncio.sleep(1)
        assert log.followers == 1
        await leaving_before_it_began(response)
        await asyncio.sleep(10)
        assert log.followers == 0

    scene(act)
