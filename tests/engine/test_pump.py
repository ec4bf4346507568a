"""The appender lands every chunk exactly once and in order, whatever the log does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resumable_chat.engine import pump as module
from resumable_chat.engine.pump import MAX_PENDING_CHUNKS, Appender, Lost
from resumable_chat.errors import FencingTokenMismatch, LogUnavailable
from resumable_chat.log.port import AppendSession, Log
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol import tokens
from resumable_chat.protocol.chunks import MAX_CHUNK_BYTES, encode, text_content
from resumable_chat.protocol.limits import MAX_BATCH_RECORDS
from resumable_chat.protocol.records import NewRecord, fence

from ..chats import chunks_of, fresh_log, records_of, story
from ..faults import LOST_ANSWER, LOST_REQUEST, FaultyLog

TOKEN = tokens.opening("k" * 12)
END = tokens.terminal("k" * 12)


async def opened(log: Log) -> int:
    return (await log.append("s", [fence(TOKEN)], fencing_token="")).end


def delta(text: str, target: str = "m") -> dict[str, Any]:
    return text_content(target, text)


def said(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["delta"] for chunk in chunks)


async def test_chunks_land_in_order_and_the_fence_comes_last(tmp_path: Path) -> None:
    """Neighbouring deltas of one message may share a record; nothing is lost, doubled or moved."""
    async with fresh_log(tmp_path) as log:
        async with Appender(log, "s", token=TOKEN, next_seq=await opened(log)) as appender:
            for index in range(500):
                await appender.add(delta(f"{index},", "m" if index < 400 else "n"))
            await appender.finish([delta("end", "n")], END)
        chunks = await chunks_of(log, "s")
        assert said(chunks) == "".join(f"{index}," for index in range(500)) + "end"
        assert len(chunks) < 500
        assert (await story(log, "s"))[-1] == "<end>"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.dictionaries(st.integers(0, 30), st.sampled_from([LOST_REQUEST, LOST_ANSWER]), max_size=8),
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
        start = await opened(log)
        async with Appender(
            FaultyLog(log, faults, delay=delay), "s", token=TOKEN, next_seq=start, batch_size=batch_size, linger=0.001
        ) as appender:
            for index, pause in enumerate(pauses):
                await appender.add({"type": "CUSTOM", "name": str(index)})
                if pause:
                    await asyncio.sleep(0.002)
            await appender.finish([], END)
        assert await story(log, "s") == ["<session>", *map(str, range(len(pauses))), "<end>"]
        await log.close()

    asyncio.run(check())


async def test_a_fast_log_gets_single_appends_and_a_slow_one_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are pipelined when acknowledgements take longer than chunks; nothing is lost when the way changes."""
    for delay, pipelined in ((0.0, False), (0.05, True)):
        # However busy this machine is, the first log counts as fast.
        monkeypatch.setattr(module, "PIPELINE_FROM", 0.03 if pipelined else 60.0)
        log = SqliteLog(tmp_path / f"{delay}.db")
        faulty = FaultyLog(log, delay=delay)
        async with Appender(faulty, "s", token=TOKEN, next_seq=await opened(log), linger=0.01) as appender:
            for index in range(40):
                await appender.add({"type": "CUSTOM", "name": str(index)})
                await asyncio.sleep(0.004)
            await appender.finish([], END)
        assert faulty.sessions == int(pipelined)
        assert await story(log, "s") == ["<session>", *map(str, range(40)), "<end>"]
        await log.close()


async def test_another_s_fence_stops_the_writer(tmp_path: Path) -> None:
    """After a stop or a take-over nothing more is written, and the writer learns of it within a heartbeat."""
    async with fresh_log(tmp_path) as log:
        lost = asyncio.Event()
        async with Appender(
            log, "s", token=TOKEN, next_seq=await opened(log), on_lost=lost.set, heartbeat=0.05
        ) as appender:
            await appender.add(delta("a"))
            await asyncio.sleep(0.03)
            await log.append("s", [fence(END)], fencing_token=TOKEN)
            async with asyncio.timeout(5):
                await lost.wait()
            with pytest.raises(Lost):
                await appender.add(delta("b"))
            with pytest.raises(Lost):
                await appender.finish([], END)
        assert (await story(log, "s"))[-1] == "<end>"
        assert said(await chunks_of(log, "s")) == "a"


async def test_a_record_without_a_token_does_not_stop_it(tmp_path: Path) -> None:
    """Whoever appends without a token only moves the tail; the writer goes on behind it."""
    async with fresh_log(tmp_path) as log:
        async with Appender(log, "s", token=TOKEN, next_seq=await opened(log)) as appender:
            for index in range(20):
                await appender.add({"type": "CUSTOM", "name": str(index)})
                await log.append("s", [NewRecord(b'{"type":"CUSTOM","name":"stray"}')])
            await appender.finish([], END)
        told = [line for line in await story(log, "s") if line != "stray"]
        assert told == ["<session>", *map(str, range(20)), "<end>"]


async def test_silence_is_filled_with_heartbeats(tmp_path: Path) -> None:
    """A model that thinks keeps the lease: empty records come, and readers' chunks are unchanged."""
    async with fresh_log(tmp_path) as log:
        async with Appender(log, "s", token=TOKEN, next_seq=await opened(log), heartbeat=0.03) as appender:
            await asyncio.sleep(0.2)
            await appender.finish([delta("a")], END)
        records = await records_of(log, "s")
        assert sum(record == record._replace(body=b"", headers=()) for record in records) >= 3
        assert said(await chunks_of(log, "s")) == "a"


async def test_a_slow_log_slows_the_source(tmp_path: Path) -> None:
    """What waits to be appended is bounded: ``add`` waits for room."""
    async with fresh_log(tmp_path) as log:
        next_seq = await opened(log)
        gate = asyncio.Event()
        slow = FaultyLog(log, before=lambda _: gate.wait())
        added = 0
        async with Appender(slow, "s", token=TOKEN, next_seq=next_seq, batch_size=10_000, linger=60) as appender:

            async def produce() -> None:
                nonlocal added
                for index in range(5000):
                    await appender.add({"type": "CUSTOM", "name": str(index)})
                    added += 1

            producer = asyncio.create_task(produce())
            await asyncio.sleep(0.3)
            assert MAX_PENDING_CHUNKS <= added <= MAX_PENDING_CHUNKS + MAX_BATCH_RECORDS and not producer.done()
            gate.set()
            appender._linger = 0.001
            async with asyncio.timeout(30):
                await producer
            await appender.finish([], END)
        assert await story(log, "s") == ["<session>", *map(str, range(5000)), "<end>"]


async def test_a_log_out_of_reach_is_waited_for(tmp_path: Path) -> None:
    """An outage shorter than ``give_up`` costs nothing but time; a longer one loses the generation."""
    async with fresh_log(tmp_path) as log:
        faulty = FaultyLog(log)
        async with Appender(faulty, "s", token=TOKEN, next_seq=await opened(log)) as appender:
            faulty.unreachable = True
            await appender.add(delta("a"))
            await asyncio.sleep(0.1)
            faulty.unreachable = False
            await appender.finish([delta("b")], END)
        assert said(await chunks_of(log, "s")) == "ab"
    async with fresh_log(tmp_path / "other") as log:
        faulty = FaultyLog(log)
        async with Appender(faulty, "s", token=TOKEN, next_seq=await opened(log), give_up=0.2) as appender:
            faulty.unreachable = True
            await appender.add(delta("a"))
            with pytest.raises(Lost):
                async with asyncio.timeout(10):
                    await appender.finish([], END)


async def test_a_text_over_the_record_limit_is_split(tmp_path: Path) -> None:
    """Three megabytes in one delta arrive whole, in records that fit."""
    async with fresh_log(tmp_path) as log:
        huge = "0123456789" * 300_000
        async with Appender(log, "s", token=TOKEN, next_seq=await opened(log)) as appender:
            await appender.add(delta(huge))
            await appender.finish([], END)
        assert said(await chunks_of(log, "s")) == huge


async def test_the_lost_acknowledgement_of_the_end_is_no_loss(tmp_path: Path) -> None:
    """When the terminal batch landed but its answer was lost, the writer finds its own token in force."""
    async with fresh_log(tmp_path) as log:
        faulty = FaultyLog(log, {0: LOST_ANSWER})
        async with Appender(faulty, "s", token=TOKEN, next_seq=await opened(log)) as appender:
            await appender.finish([delta("a")], END)
        assert await story(log, "s") == ["<session>", "TEXT_MESSAGE_CONTENT", "<end>"]
        with pytest.raises(FencingTokenMismatch):
            await log.append("s", [NewRecord(b"")], fencing_token=TOKEN)


async def test_a_chunk_of_every_size_up_to_the_limit_lands(tmp_path: Path) -> None:
    """The largest chunk that is not split fits one append, also together with the terminal fence."""
    async with fresh_log(tmp_path) as log:
        async with Appender(log, "s", token=TOKEN, next_seq=await opened(log)) as appender:
            empty = len(encode({"type": "CUSTOM", "name": "large", "value": ""}))
            for size in (MAX_CHUNK_BYTES - 9, MAX_CHUNK_BYTES):
                await appender.add({"type": "CUSTOM", "name": "large", "value": "x" * (size - empty)})
            async with asyncio.timeout(30):
                last = {"type": "CUSTOM", "name": "large", "value": "x" * (MAX_CHUNK_BYTES - empty)}
                await appender.finish([last], "end-" + "x" * 32)
        assert await story(log, "s") == ["<session>", "large", "large", "large", "<end>"]


async def test_a_lone_surrogate_among_much_text_lands(tmp_path: Path) -> None:
    """What JSON must escape takes more bytes when it is merged; it is stored all the same, and unchanged."""
    async with fresh_log(tmp_path) as log:
        async with Appender(FaultyLog(log, delay=0.2), "s", token=TOKEN, next_seq=await opened(log)) as appender:
            pieces = ["a", *["ä" * 150_000] * 3, "\ud83d", "\ude00", "end"]
            for piece in pieces:
                await appender.add(delta(piece))
            async with asyncio.timeout(30):
                await appender.finish([], END)
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
        async with Appender(faulty, "s", token=TOKEN, next_seq=await opened(log), linger=0.01) as appender:
            count = 0
            async with asyncio.timeout(30):
                while faulty.refused <= 2 or count < 40:
                    await appender.add({"type": "CUSTOM", "name": str(count)})
                    count += 1
                    await asyncio.sleep(0.004)
            await appender.finish([], END)
        assert await story(log, "s") == ["<session>", *map(str, range(count)), "<end>"]


async def test_an_unforeseen_failure_ends_the_writer(tmp_path: Path) -> None:
    """Whatever an engine raises, the writer says that it is lost and never waits for ever."""

    async def broken(number: int) -> None:
        raise ZeroDivisionError

    async with fresh_log(tmp_path) as log:
        start = await opened(log)
        async with asyncio.timeout(10):
            async with Appender(FaultyLog(log, before=broken), "s", token=TOKEN, next_seq=start) as appender:
                await appender.add(delta("a"))
                with pytest.raises(Lost, match="ZeroDivisionError"):
                    await appender.finish([], END)
