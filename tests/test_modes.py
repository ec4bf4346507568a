"""The modes single-use and shared: a stream of chunks that outlives its response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambda_asgi import Background
from resumable_chat import ResumableChat

from .chats import Tab, chunks_of, emptied, frames, fresh_log, records_of, story, user, whole

TYPES = ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"]


async def words(*said: str, gate: asyncio.Event | None = None) -> AsyncIterator[dict[str, Any]]:
    for word in said:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": word}
    if gate is not None:
        await gate.wait()


def types(body: bytes) -> list[str]:
    return [chunk["type"] for _, chunk in frames(body)]


@pytest.mark.parametrize("mode", ["single-use", "shared"])
async def test_the_response_carries_the_chunks_as_they_land(tmp_path: Path, mode: Any) -> None:
    """Server-sent events with ids, from RUN_STARTED to RUN_FINISHED, and then the body ends."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log, mode=mode)
        response = await chat.make_resumable("s", words("a", "b"))
        assert response.status_code == 200 and response.media_type == "text/event-stream"
        async with asyncio.timeout(20):
            body = await whole(response)
        assert types(body) == TYPES
        assert "".join(chunk.get("delta", "") for _, chunk in frames(body)) == "ab"


@pytest.mark.parametrize("mode", ["single-use", "shared"])
async def test_a_reload_gets_the_active_generation(tmp_path: Path, mode: Any) -> None:
    """From its start or from a cursor, to its end; 204 before it and after it."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log, mode=mode), Background(), asyncio.Event()
        assert (await chat.replay("s")).status_code == 204
        response = await chat.make_resumable(
            "s", words("a", "b", gate=gate), delivery="replay", wait_until=background.wait_until
        )
        assert response.status_code == 202
        async with Tab(ResumableChat(log, mode=mode), "s") as tab:
            seen = await tab.until("TEXT_MESSAGE_CONTENT")
            async with Tab(ResumableChat(log, mode=mode), "s", seen[-1][0]) as late:
                gate.set()
                await tab.until("end")
                await late.until("end")
        assert tab.types == TYPES and tab.error is None
        assert late.types == TYPES[3:] and late.error is None
        await background.drain(10)
        assert (await ResumableChat(log, mode=mode).replay("s")).status_code == 204


async def test_a_reader_cut_before_the_end_reads_the_rest(tmp_path: Path) -> None:
    """With a cursor in the generation that just ended, the replay has the rest of it; after that there is nothing."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log, mode="shared")
        body = await whole(await chat.make_resumable("s", words("a", "b")))
        events = frames(body)
        reader = ResumableChat(log, mode="shared")
        for seen in range(1, len(events)):
            rest = await reader.replay("s", from_seq_num=events[seen - 1][0])
            assert frames(await whole(rest)) == events[seen:]
        assert (await reader.replay("s", from_seq_num=events[-1][0])).status_code == 204
        assert (await reader.replay("s", from_seq_num=0)).status_code == 204


@pytest.mark.parametrize("mode", ["single-use", "shared"])
async def test_a_stream_in_use_is_409(tmp_path: Path, mode: Any) -> None:
    """While a generation runs, nobody else may write; a single-use stream is never used again."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log, mode=mode), Background(), asyncio.Event()
        await chat.make_resumable("s", words("a", gate=gate), delivery="replay", wait_until=background.wait_until)
        other = ResumableChat(log, mode=mode)
        assert (await other.make_resumable("s", words("b"))).status_code == 409
        gate.set()
        await background.drain(10)
        again = await other.make_resumable("s", words("b"), delivery="replay")
        assert again.status_code == (202 if mode == "shared" else 409)


async def test_a_shared_stream_keeps_its_newest_generation_only(tmp_path: Path) -> None:
    """Each claim trims what came before it, and notes the runs that it was of."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log, mode="shared")
        for word in ("one", "two"):
            assert (await chat.make_resumable("s", words(word), delivery="replay")).status_code == 202
        async with asyncio.timeout(20):
            while await story(log, "s") != ["<session>", "resumable.runs", "trim", *TYPES, "<end>"]:
                await asyncio.sleep(0.05)
        assert "one" not in str(await chunks_of(log, "s"))


async def test_a_single_use_stream_is_emptied_at_its_end(tmp_path: Path) -> None:
    """After the terminal fence, and a grace for readers who are behind, nothing readable is left but the trim."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log, mode="single-use")
        assert (await chat.make_resumable("s", words("a"), delivery="replay")).status_code == 202
        await emptied(log, "s")
        assert (await log.tail("s")).seq_num == 8


async def test_a_stop_ends_it(tmp_path: Path) -> None:
    """Stopping works as in session mode."""
    async with fresh_log(tmp_path) as log:
        chat, background = ResumableChat(log, mode="shared"), Background()
        await chat.make_resumable(
            "s", words("a", gate=asyncio.Event()), delivery="replay", wait_until=background.wait_until
        )
        async with Tab(chat, "s") as tab:
            await tab.until("TEXT_MESSAGE_CONTENT")
            assert (await chat.stop_session("s")).status_code == 202
            await tab.until("end")
            assert tab.types[-1] == "RUN_FINISHED"
        await background.drain(5)


@pytest.mark.parametrize("mode", ["single-use", "shared"])
async def test_the_same_run_sent_twice_runs_once(tmp_path: Path, mode: Any) -> None:
    """The repetition, in mid-answer and after it, gets the same answer or 202, never a second run or a 409."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log, mode=mode), Background(), asyncio.Event()
        await chat.make_resumable(
            "s", words("a", gate=gate), delivery="replay", wait_until=background.wait_until, run_id="r"
        )
        other = ResumableChat(log, mode=mode)
        again = await other.make_resumable("s", words("b"), run_id="r")
        gate.set()
        async with asyncio.timeout(20):
            body = await whole(again)
        assert types(body) == TYPES and b'"delta":"a"' in body
        await background.drain(10)
        late = await other.make_resumable("s", words("b"), delivery="replay", run_id="r")
        assert late.status_code == 202
        assert "b" not in [chunk.get("delta") for chunk in await chunks_of(log, "s")]


async def test_a_source_is_called_once_the_stream_is_claimed(tmp_path: Path) -> None:
    """With the run's context; not at all when the stream is in use."""
    asked = []

    async def source(messages: Any, context: Any) -> AsyncIterator[dict[str, Any]]:
        asked.append((messages, context.run_id))
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "a"}

    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log, mode="single-use")
        for run_id, status in (("r1", 202), ("r2", 409)):
            response = await chat.make_resumable("s", source, delivery="replay", run_id=run_id)
            assert response.status_code == status
        assert asked == [((), "r1")]


async def test_each_mode_has_its_own_way_in(tmp_path: Path) -> None:
    """The wrong method for a mode is a 500 for the client and says so in the log; nothing is written."""
    async with fresh_log(tmp_path) as log:
        assert (await ResumableChat(log).make_resumable("s", words("a"))).status_code == 500
        shared = ResumableChat(log, mode="shared")
        response = await shared.make_session_response("s", messages=[user("u")], source=lambda m, c: words("a"))
        assert response.status_code == 500
        assert await records_of(log, "s") == []


class Held:
    """A source that many runs share, as one that keeps an HTTP client does."""

    def __init__(self) -> None:
        self.calls = 0
        self.closed = False

    def __call__(self, messages: Any, context: Any) -> AsyncIterator[dict[str, Any]]:
        self.calls += 1
        return words("a")

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("mode", ["single-use", "shared"])
async def test_a_source_that_was_not_called_stays_open(tmp_path: Path, mode: Any) -> None:
    """It may serve other runs; an iterator that will not be read is closed."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate, source = ResumableChat(log, mode=mode), Background(), asyncio.Event(), Held()
        first = words("a", gate=gate)
        await chat.make_resumable("s", first, delivery="replay", wait_until=background.wait_until, run_id="r")
        assert (await chat.make_resumable("s", source, run_id="other")).status_code == 409
        assert (await chat.make_resumable("s", source, delivery="replay", run_id="r")).status_code == 202
        assert source.calls == 0 and not source.closed
        unread = words("b")
        assert (await chat.make_resumable("s", unread, run_id="other")).status_code == 409
        assert [word async for word in unread] == []
        gate.set()
        await background.drain(10)


@pytest.mark.parametrize("mode", ["single-use", "shared"])
async def test_a_stop_before_its_run_shows_a_stopped_run(tmp_path: Path, mode: Any) -> None:
    """Its response begins and ends the run, and the source is never called."""
    async with fresh_log(tmp_path) as log:
        chat, source = ResumableChat(log, mode=mode), Held()
        assert (await chat.stop_session("s", run_id="r")).status_code == 204
        response = await chat.make_resumable("s", source, run_id="r")
        assert response.status_code == 200
        async with asyncio.timeout(20):
            assert types(await whole(response)) == ["RUN_STARTED", "RUN_FINISHED"]
        assert source.calls == 0 and not source.closed


@pytest.mark.parametrize("mode", ["session", "single-use", "shared"])
async def test_a_run_that_wait_until_refuses_is_ended_at_once(tmp_path: Path, mode: Any) -> None:
    """Readers get an error, the chat is free, and the app gets its exception."""

    def refuse(work: Any) -> None:
        raise RuntimeError("the host is going down")

    async with fresh_log(tmp_path) as log:
        chat, source = ResumableChat(log, mode=mode), Held()
        with pytest.raises(RuntimeError, match="going down"):
            if mode == "session":
                await chat.make_session_response("s", messages=[user("u")], source=source, wait_until=refuse)
            else:
                await chat.make_resumable("s", source, wait_until=refuse)
        assert source.calls == 0
        assert (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"]
        if mode == "shared":
            assert (await chat.make_resumable("s", source, delivery="replay")).status_code == 202
