"""The pump lands every chunk exactly once and in order, whatever the log does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resumable_chat.engine.pump import Lost, Pump
from resumable_chat.errors import FencingTokenMismatch, LogUnavailable
from resumable_chat.log.port import AppendSession, Log
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol import tokens
from resumable_chat.protocol.chunks import MAX_CHUNK_BYTES, encode, text_content
from resumable_chat.protocol.lifecycle import Lifecycle
from resumable_chat.protocol.outcomes import Ending, Outcome
from resumable_chat.protocol.records import NewRecord, fence
from resumable_chat.protocol.writer import Writer

from ..chats import chunks_of, fresh_log, records_of, story
from ..faults import LOST_ANSWER, LOST_REQUEST, FaultyLog

TOKEN = tokens.opening("k" * 12)
END = tokens.terminal("k" * 12)
FINISHED = Ending(Outcome.FINISHED)


@asynccontextmanager
async def pumping(
    log: Log, *, lost: asyncio.Event | None = None, linger: float = 0.05, batch_size: int = 10
) -> AsyncIterator[Pump]:
    """A pump behind an opening fence."""
    opened = await log.append("s", [fence(TOKEN)], fencing_token="")
    now = asyncio.get_running_loop().time()
    lifecycle = Lifecycle("r", "t", "m")
    writer = Writer(lifecycle, token=TOKEN, next_seq=opened.end, now=now, linger=linger, batch_size=batch_size)
    async with Pump(log, "s", writer, on_lost=lost.set if lost else lambda: None) as pump:
        yield pump


async def finish(pump: Pump) -> None:
    pump.end(FINISHED, END)
    await pump.finished()


def delta(text: str, target: str = "m") -> dict[str, Any]:
    return text_content(target, text)


def custom(name: object) -> dict[str, Any]:
    return {"type": "CUSTOM", "name": str(name)}


def said(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "TEXT_MESSAGE_CONTENT")


def whole(names: list[str]) -> list[str]:
    """The story of a generation with these CUSTOM chunks."""
    return ["<session>", "RUN_STARTED", *names, "RUN_FINISHED", "<end>"]


async def test_chunks_land_in_order_and_the_fence_comes_last(tmp_path: Path) -> None:
    """Neighbouring deltas of one message may share a record; nothing is lost, doubled or moved."""
    async with fresh_log(tmp_path) as log:
        async with pumping(log) as pump:
            for index in range(500):
                await pump.push(delta(f"{index},", "m" if index < 400 else "n"))
            await finish(pump)
        chunks = await chunks_of(log, "s")
        assert said(chunks) == "".join(f"{index}," for index in range(500))
        assert len(chunks) < 500
        assert (await story(log, "s"))[-2:] == ["RUN_FINISHED", "<end>"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.dictionaries(st.integers(1, 30), st.sampled_from([LOST_REQUEST, LOST_ANSWER]), max_size=8),
    pauses=st.lists(st.booleans(), min_size=5, max_size=25),
    batch_size=st.integers(1, 4),
    delay=st.sampled_from([0.0, 0.0, 0.02]),
)
def test_lost_requests_and_lost_answers_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    faults: dict[int, str],
    pauses: list[bool],
    batch_size: int,
    delay: float,
) -> None:
    """Every chunk is in the log once, in order, by single appends and by a session, whatever was lost."""

    async def check() -> None:
        log = SqliteLog(tmp_path_factory.mktemp("faults") / "log.db")
        faulty = FaultyLog(log, faults, delay=delay)
        async with pumping(faulty, batch_size=batch_size, linger=0.001) as pump:
            for index, pause in enumerate(pauses):
                await pump.push(custom(index))
                if pause:
                    await asyncio.sleep(0.002)
            await finish(pump)
        assert await story(log, "s") == whole([str(index) for index in range(len(pauses))])
        await log.close()

    asyncio.run(check())


async def test_a_slow_log_gets_a_session(tmp_path: Path) -> None:
    """Batches are pipelined when acknowledgements take longer than chunks; nothing is lost when the way changes."""
    async with fresh_log(tmp_path) as log:
        faulty = FaultyLog(log, delay=0.05)
        async with pumping(faulty, linger=0.01) as pump:
            for index in range(40):
                await pump.push(custom(index))
                await asyncio.sleep(0.004)
            await finish(pump)
        assert faulty.sessions == 1
        assert await story(log, "s") == whole([str(index) for index in range(40)])


async def test_another_s_fence_stops_the_writer(tmp_path: Path) -> None:
    """After a stop or a take-over nothing more is written, and the writer learns of it within a heartbeat."""
    async with fresh_log(tmp_path) as log:
        lost = asyncio.Event()
        async with pumping(log, lost=lost) as pump:
            await pump.push(delta("a"))
            await asyncio.sleep(0.03)
            await log.append("s", [fence(END)], fencing_token=TOKEN)
            async with asyncio.timeout(5):
                await lost.wait()
            with pytest.raises(Lost):
                await pump.push(delta("b"))
            with pytest.raises(Lost):
                await finish(pump)
        assert (await story(log, "s"))[-1] == "<end>"
        assert said(await chunks_of(log, "s")) == "a"


async def test_a_record_without_a_token_does_not_stop_it(tmp_path: Path) -> None:
    """Whoever appends without a token, or a mark under ours, only moves the tail; the writer goes on behind it."""
    async with fresh_log(tmp_path) as log:
        async with pumping(log) as pump:
            for index in range(20):
                await pump.push(custom(index))
                mark = NewRecord(b'{"type":"CUSTOM","name":"stray"}')
                await log.append("s", [mark], fencing_token=TOKEN if index % 2 else None)
            await finish(pump)
        told = [line for line in await story(log, "s") if line != "stray"]
        assert told == whole([str(index) for index in range(20)])


async def test_silence_is_filled_with_heartbeats(tmp_path: Path) -> None:
    """A model that thinks keeps the lease: empty records come, and readers' chunks are unchanged."""
    async with fresh_log(tmp_path) as log:
        async with pumping(log) as pump:
            async with asyncio.timeout(10):
                while not any(not record.body and not record.headers for record in await records_of(log, "s")):
                    await asyncio.sleep(0.1)
            await pump.push(delta("a"))
            await finish(pump)
        assert said(await chunks_of(log, "s")) == "a"


async def test_a_slow_log_slows_the_source(tmp_path: Path) -> None:
    """What waits to be appended is bounded: ``push`` waits for room, and the end needs none."""
    async with fresh_log(tmp_path) as log:
        gate = asyncio.Event()

        async def held(number: int) -> None:
            if number:
                await gate.wait()

        async with pumping(FaultyLog(log, before=held), batch_size=10_000, linger=0.001) as pump:
            pushed = 0
            waits = False
            while not waits:
                push = asyncio.create_task(pump.push(custom(pushed)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                waits = not push.done()
                pushed += 1
                assert pushed < 5_000
            gate.set()
            await push
            await finish(pump)
        assert await story(log, "s") == whole([str(index) for index in range(pushed)])


async def test_room_comes_back_when_a_batch_is_on_its_way(tmp_path: Path) -> None:
    """The source goes on while the log works, and learns at once if there is nothing left to write for."""
    async with fresh_log(tmp_path) as log:
        reached, gate = asyncio.Event(), asyncio.Event()

        async def held(number: int) -> None:
            if number == 1:
                await gate.wait()
            elif number:
                reached.set()
                await asyncio.Event().wait()

        pushed = 0

        async def fill() -> None:
            nonlocal pushed
            while True:
                await pump.push(custom("x"))
                pushed += 1

        with pytest.raises(Lost):
            async with pumping(FaultyLog(log, before=held), batch_size=10_000, linger=0.001) as pump:
                filling = asyncio.create_task(fill())
                await asyncio.sleep(0.1)
                before = pushed
                gate.set()
                async with asyncio.timeout(10):
                    await reached.wait()
                    while pushed < before + 900:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                pump.abandon()
                async with asyncio.timeout(10):
                    await filling


async def test_a_log_out_of_reach_is_waited_for(tmp_path: Path) -> None:
    """A short outage costs nothing but time, also when what stands in the way must be read meanwhile."""
    async with fresh_log(tmp_path) as log:
        faulty = FaultyLog(log)
        async with pumping(faulty) as pump:
            await log.append("s", [NewRecord(b'{"type":"CUSTOM","name":"stray"}')])
            faulty.unreachable = True
            await pump.push(delta("a"))
            await asyncio.sleep(0.1)
            faulty.unreachable = False
            await pump.push(delta("b"))
            await finish(pump)
        assert said(await chunks_of(log, "s")) == "ab"


async def test_a_text_over_the_record_limit_is_split(tmp_path: Path) -> None:
    """Three megabytes in one delta arrive whole, in records that fit."""
    async with fresh_log(tmp_path) as log:
        huge = "0123456789" * 300_000
        async with pumping(log) as pump:
            await pump.push(delta(huge))
            await finish(pump)
        assert said(await chunks_of(log, "s")) == huge


async def test_the_lost_acknowledgement_of_the_end_is_no_loss(tmp_path: Path) -> None:
    """When the terminal batch landed but its answer was lost, the writer finds its own token in force."""
    async with fresh_log(tmp_path) as log:
        async with pumping(FaultyLog(log, {1: LOST_ANSWER})) as pump:
            await finish(pump)
        assert await story(log, "s") == whole([])
        with pytest.raises(FencingTokenMismatch):
            await log.append("s", [NewRecord(b"")], fencing_token=TOKEN)


async def test_a_chunk_of_every_size_up_to_the_limit_lands(tmp_path: Path) -> None:
    """The largest chunk that is not split fits one append."""
    async with fresh_log(tmp_path) as log:
        async with pumping(log) as pump:
            empty = len(encode({"type": "CUSTOM", "name": "large", "value": ""}))
            for size in (MAX_CHUNK_BYTES - 9, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES):
                await pump.push({"type": "CUSTOM", "name": "large", "value": "x" * (size - empty)})
            async with asyncio.timeout(30):
                await finish(pump)
        assert await story(log, "s") == whole(["large"] * 3)


async def test_a_lone_surrogate_among_much_text_lands(tmp_path: Path) -> None:
    """What JSON must escape takes more bytes when it is merged; it is stored all the same, and unchanged."""
    async with fresh_log(tmp_path) as log:
        async with pumping(FaultyLog(log, delay=0.2)) as pump:
            pieces = ["a", *["ä" * 150_000] * 3, "\ud83d", "\ude00", "end"]
            for piece in pieces:
                await pump.push(delta(piece))
            async with asyncio.timeout(30):
                await finish(pump)
        stored = said(await chunks_of(log, "s"))
        assert stored.encode("utf-16", "surrogatepass").decode("utf-16") == (
            "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")
        )
        assert (await story(log, "s"))[-1] == "<end>"


async def test_a_session_that_cannot_be_opened_loses_nothing(tmp_path: Path) -> None:
    """The batch that was due when opening failed lands by itself."""

    class Closed(FaultyLog):
        refused = 0

        @asynccontextmanager
        async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
            self.refused += 1
            if self.refused <= 2:
                raise LogUnavailable("no session now")
            async with super().append_session(stream) as session:
                yield session

    async with fresh_log(tmp_path) as log:
        faulty = Closed(log, delay=0.05)
        async with pumping(faulty, linger=0.01) as pump:
            count = 0
            async with asyncio.timeout(30):
                while faulty.refused <= 2 or count < 40:
                    await pump.push(custom(count))
                    count += 1
                    await asyncio.sleep(0.004)
            await finish(pump)
        assert await story(log, "s") == whole([str(index) for index in range(count)])


async def test_an_unforeseen_failure_ends_the_writer(tmp_path: Path) -> None:
    """Whatever an engine raises, the writer says that it is lost and never waits for ever."""

    async def broken(number: int) -> None:
        if number:
            raise ZeroDivisionError

    async with fresh_log(tmp_path) as log:
        async with asyncio.timeout(10):
            async with pumping(FaultyLog(log, before=broken)) as pump:
                await pump.push(delta("a"))
                with pytest.raises(Lost, match="ZeroDivisionError"):
                    await finish(pump)
