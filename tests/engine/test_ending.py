"""Stops of real chats in virtual time: they win whenever they come, in every mode, and leave other runs alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.engine.ending import reap
from resumable_chat.protocol import tokens
from resumable_chat.protocol.open_parts import OpenParts
from resumable_chat.protocol.records import NewRecord, fence

from ..chats import Tab, Words, chunks_of, frames, replayed, story, user, whole
from .calm import CalmLog, run, taking

MODES = ["session", "shared", "single-use"]


class Chats:
    """One log, and senders and stoppers in processes of their own."""

    def __init__(self, mode: Any = "session") -> None:
        self.mode = mode
        self.log = CalmLog()
        self.background = Background()

    async def send(self, run_id: str, source: Any = None, **options: Any) -> int:
        chat = ResumableChat(self.log, mode=self.mode)
        options = {"run_id": run_id, "wait_until": self.background.wait_until, **options}
        if self.mode == "session":
            asked = [user(f"u-{run_id}")]
            response = await chat.make_session_response("s", messages=asked, source=source or Words(run_id), **options)
        else:
            response = await chat.make_resumable("s", source or Words(run_id), delivery="replay", **options)
        return response.status_code

    async def stop(self, run_id: str | None = None) -> int:
        return (await ResumableChat(self.log, mode=self.mode).stop_session("s", run_id=run_id)).status_code

    async def drain(self) -> None:
        await self.background.drain(30)

    async def told(self) -> list[str]:
        return await story(self.log, "s")


@pytest.mark.parametrize("mode", ["session", "shared"])
@pytest.mark.parametrize("stops", [1, 3])
def test_a_stop_for_a_run_that_waits_behind_another_wins(mode: str, stops: int) -> None:
    """It is left in the log while the other run goes on, undisturbed; when the run comes, it ends before it begins."""

    async def test() -> None:
        chats, gate = Chats(mode), asyncio.Event()

        async def slow(messages: Any, context: Any) -> AsyncIterator[Any]:
            for index in range(20):
                yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"{index} "}
                await asyncio.sleep(0.1)
            await gate.wait()

        assert await chats.send("A", slow) == 202
        await asyncio.sleep(0.55)
        async with Tab(ResumableChat(chats.log, mode=mode), "s") as tab:  # type: ignore[arg-type]
            for _ in range(stops):
                assert await chats.stop("B") == 204
            await asyncio.sleep(3)
            gate.set()
            await chats.drain()
            await asyncio.sleep(1)
            said = "".join(chunk.get("delta", "") for _, chunk in tab.frames)
            assert said == "".join(f"{index} " for index in range(20))
            assert "resumable.stop" not in str(tab.frames)
        assert (await chats.told()).count("resumable.stop") == 1
        source = Words("b")
        assert await chats.send("B", source) == 202
        await chats.drain()
        assert source.calls == 0
        finished = (await chunks_of(chats.log, "s"))[-1]
        assert (finished["type"], finished["runId"]) == ("RUN_FINISHED", "B")
        if mode == "session":
            assert "u-B" in json.dumps(await replayed(ResumableChat(chats.log), "s"))
        later = Words("c")
        assert await chats.send("C", later) == 202
        await chats.drain()
        assert later.calls == 1

    run(test)


@pytest.mark.parametrize("cursor", ["fresh", "none"])
def test_a_stop_is_found_wherever_the_sender_has_read_to(cursor: str) -> None:
    """A stop between earlier runs is found by a sender that has read past it."""

    async def test() -> None:
        chats = Chats()
        await chats.send("A")
        await chats.drain()
        assert await chats.stop("B") == 204
        await chats.send("C")
        await chats.drain()
        source = Words("b")
        seen = (await chats.log.tail("s")).seq_num - 1 if cursor == "fresh" else None
        assert await chats.send("B", source, seen=seen) == 202
        await chats.drain()
        assert source.calls == 0

    run(test)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("others", [(), ("X",), ("X", "Y")])
def test_a_stop_before_its_send_leaves_a_stopped_run(mode: str, others: tuple[str, ...]) -> None:
    """Also with stops of other runs around it. Readers see a run that was stopped, not an empty stream."""

    async def test() -> None:
        chats, source = Chats(mode), Words("a")
        for run_id in ("r", *others, "r"):
            assert await chats.stop(run_id) == 204
        if mode == "session":
            assert await chats.send("r", source) == 202
            await chats.drain()
            [message] = (await replayed(ResumableChat(chats.log), "s"))[0][1]["messages"]
            run = message["metadata"]["resumable"]["run"]
            assert (message["id"], run["id"], run["outcome"]) == ("u-r", "r", "stopped")
        else:
            chat = ResumableChat(chats.log, mode=chats.mode)
            response = await chat.make_resumable("s", source, run_id="r")
            assert response.status_code == 200
            body = frames(await whole(response))
            assert [chunk["type"] for _, chunk in body] == ["RUN_STARTED", "RUN_FINISHED"]
            assert {chunk["runId"] for _, chunk in body} == {"r"}
        assert source.calls == 0
        await chats.drain()
        assert await chats.send("r", source) == 202 and source.calls == 0

    run(test)


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_ends_the_run_it_names_in_every_mode(mode: str) -> None:
    """202, the source is closed, and stopping it again is 204."""

    async def test() -> None:
        chats, source = Chats(mode), Words("a", gate=asyncio.Event())
        assert await chats.send("r", source) == 202
        await source.started.wait()
        assert await chats.stop("r") == 202
        await source.closed.wait()
        await chats.drain()
        for run_id in ("r", None, "r"):
            assert await chats.stop(run_id) == 204
        assert [line for line in await chats.told() if line not in ("trim", "resumable.turn")][-1:] == ["<end>"] or (
            mode == "single-use"
        )

    run(test)


def test_a_used_single_use_stream_is_left_alone() -> None:
    """A stop of another run writes nothing there, while its own goes on and after it."""

    async def test() -> None:
        chats, gate = Chats("single-use"), asyncio.Event()
        await chats.send("r", Words("a", gate=gate))
        await asyncio.sleep(0.5)
        assert await chats.stop("other") == 204
        gate.set()
        await asyncio.sleep(1)
        before = await chats.told()
        assert await chats.stop("other") == 204
        assert await chats.told() == before and "resumable.stop" not in before
        assert await chats.send("other") == 409

    run(test)


def test_runs_of_a_shared_stream_run_once_each() -> None:
    """Though each claim lets go of the records before it: r1, r2 and r3, then each of them again, and once more."""

    async def test() -> None:
        chats = Chats("shared")
        sources = {run_id: Words(run_id) for run_id in ("r1", "r2", "r3")}
        for run_id in [*sources, *sources, *reversed(sources)]:
            assert await chats.send(run_id, sources[run_id]) == 202
            await chats.drain()
        assert {run_id: source.calls for run_id, source in sources.items()} == {"r1": 1, "r2": 1, "r3": 1}
        assert len(await chats.told()) < 10

    run(test)


def test_a_foreign_writer_gets_no_mark_of_ours() -> None:
    """A stop of another run appends nothing to its generation; a stop of its own run ends it as the format says."""

    async def test() -> None:
        chats = Chats()
        started = NewRecord(b'{"type":"RUN_STARTED","runId":"theirs"}')
        await chats.log.append("s", [fence("session-7Qw8xZ1k"), started])
        assert await chats.stop("B") == 204
        assert await chats.told() == ["<session>", "RUN_STARTED"]
        assert await chats.stop("theirs") == 202
        assert await chats.told() == ["<session>", "RUN_STARTED", "RUN_FINISHED", "<end>"]

    run(test)


@pytest.mark.parametrize("operation", ["append", "tail", "read"])
def test_a_log_that_never_answers_is_given_up_in_ten_seconds(operation: str) -> None:
    """Whatever the stop waits for."""

    async def test() -> None:
        chats = Chats()
        await chats.send("r", Words("a", gate=asyncio.Event()))
        await asyncio.sleep(1)
        other = CalmLog(chats.log.server)
        other.silent.add(operation)
        with taking(10):
            response = await ResumableChat(other).stop_session("s")
        other.silent.clear()
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")

    run(test)


@pytest.mark.parametrize("moved", [False, True])
def test_a_silent_writer_is_reaped_unless_it_moved(moved: bool) -> None:
    """One reader closes its run as lost; the others, and one that saw less, are refused."""

    async def test() -> None:
        log, token = CalmLog(), tokens.opening("k" * 12)
        await log.append("s", [fence(token)])
        parts = OpenParts("r", "m")
        position = 1
        if moved:
            await log.append("s", [NewRecord(b"")], fencing_token=token)
        reaped = [await reap(log, "s", token=token, parts=parts, position=position, message="gone") for _ in range(2)]
        assert reaped == [not moved, False]
        told = ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "RUN_ERROR", "<error>"]
        assert await story(log, "s") == ["<session>", *([] if moved else told)]

    run(test)
