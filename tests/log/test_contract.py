"""What every engine of the log port must do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from resumable_chat.errors import (
    AppendOutcomeUnknown,
    FencingTokenMismatch,
    LogRequestRefused,
    LogUnavailable,
    RecordTooLarge,
    SeqNumMismatch,
)
from resumable_chat.log.port import Log
from resumable_chat.protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from resumable_chat.protocol.records import HEARTBEAT, NewRecord, Record, fence, trim

from .engines import ENGINES, Engine
from .test_checks import BAD_NAMES, BAD_RECORDS, GOOD_NAMES, GOOD_RECORDS


@pytest.fixture(params=list(ENGINES), ids=str)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def data(*bodies: bytes) -> list[NewRecord]:
    return [NewRecord(body) for body in bodies]


async def everything(log: Log, stream: str, start: int = 0, end: int | None = None) -> list[Record]:
    return [record async for batch in log.read(stream, start, end=end) for record in batch]


def bodies(records: Sequence[Record]) -> list[bytes]:
    return [record.body for record in records]


async def test_a_batch_is_numbered_without_gaps_and_read_back(engine: Engine, tmp_path: Path) -> None:
    """Sequence numbers start at 0, go on over batches, and records come back as they went in."""
    async with engine(tmp_path) as log:
        header = NewRecord(b"\x00\xff", ((b"kind", b"\x01"), (b"more", b"")))
        first = await log.append("s", [*data(b"a", b""), header])
        second = await log.append("s", data(b"b"))
        assert (first.start, first.end, second.start, second.end) == (0, 3, 3, 4)
        records = await everything(log, "s")
        assert [record.seq_num for record in records] == [0, 1, 2, 3]
        assert [NewRecord(record.body, record.headers) for record in records] == [*data(b"a", b""), header, *data(b"b")]
        times = [record.timestamp for record in records]
        assert times == sorted(times) and times[-1] == second.timestamp
        assert tuple(await log.tail("s")) == (4, second.timestamp)


async def test_an_unused_stream_is_empty(engine: Engine, tmp_path: Path) -> None:
    """A stream that was never written to has tail 0, no records and the token ""."""
    async with engine(tmp_path) as log:
        assert tuple(await log.tail("s")) == (0, 0)
        assert await everything(log, "s") == []
        await log.append("s", data(b"a"), fencing_token="", match_seq_num=0)
        assert (await log.tail("s")).seq_num == 1


async def test_streams_do_not_touch_each_other(engine: Engine, tmp_path: Path) -> None:
    """Numbers, tokens and records belong to one stream."""
    async with engine(tmp_path) as log:
        await log.append("a", [fence("session-1"), *data(b"1")])
        await log.append("b", data(b"2"), fencing_token="", match_seq_num=0)
        assert bodies(await everything(log, "b")) == [b"2"]


async def test_a_fence_holds_for_the_batches_after_it(engine: Engine, tmp_path: Path) -> None:
    """The batch that carries a fence is checked against the token before it; the refusal carries the current one."""
    async with engine(tmp_path) as log:
        await log.append("s", [fence("one"), *data(b"a")], fencing_token="")
        with pytest.raises(FencingTokenMismatch) as refused:
            await log.append("s", data(b"x"), fencing_token="")
        assert refused.value.current == "one"
        await log.append("s", [*data(b"b"), fence("two"), fence("three")], fencing_token="one")
        with pytest.raises(FencingTokenMismatch) as refused:
            await log.append("s", data(b"x"), fencing_token="two")
        assert refused.value.current == "three"
        await log.append("s", data(b"c"))
        assert [record.body for record in await everything(log, "s") if not record.headers] == [b"a", b"b", b"c"]


async def test_the_sequence_number_condition_is_exact(engine: Engine, tmp_path: Path) -> None:
    """A batch lands only at the number it names; the refusal carries the next one, and writes nothing."""
    async with engine(tmp_path) as log:
        await log.append("s", data(b"a", b"b"), match_seq_num=0)
        for wrong in (0, 1, 3):
            with pytest.raises(SeqNumMismatch) as refused:
                await log.append("s", data(b"x"), match_seq_num=wrong)
            assert refused.value.current == 2
        await log.append("s", data(b"c"), match_seq_num=2)
        assert bodies(await everything(log, "s")) == [b"a", b"b", b"c"]


async def test_the_token_is_checked_before_the_number(engine: Engine, tmp_path: Path) -> None:
    """With both conditions wrong, the refusal speaks of the token."""
    async with engine(tmp_path) as log:
        await log.append("s", [fence("one")])
        with pytest.raises(FencingTokenMismatch):
            await log.append("s", data(b"x"), fencing_token="other", match_seq_num=9)


async def test_of_many_racing_claims_one_wins(engine: Engine, tmp_path: Path) -> None:
    """Twenty appends under the same token, each with a fence: one lands, the others learn its token."""
    async with engine(tmp_path) as log:

        async def claim(index: int) -> str:
            token = f"session-{index}"
            while True:
                try:
                    await log.append("s", [fence(token)], fencing_token="")
                    return token
                except FencingTokenMismatch as refused:
                    return refused.current
                except AppendOutcomeUnknown:  # A server may say so under contention; the next answer tells.
                    await asyncio.sleep(0.05)

        assert len(set(await asyncio.gather(*(claim(index) for index in range(20))))) == 1
        assert (await log.tail("s")).seq_num == 1


async def test_reads_start_and_end_where_they_are_told(engine: Engine, tmp_path: Path) -> None:
    """``end`` is exclusive; a start at or past the tail yields nothing."""
    async with engine(tmp_path) as log:
        await log.append("s", data(*(b"%d" % index for index in range(10))))
        assert bodies(await everything(log, "s", 3, 6)) == [b"3", b"4", b"5"]
        assert bodies(await everything(log, "s", 8, 99)) == [b"8", b"9"]
        assert await everything(log, "s", 10) == []
        assert await everything(log, "s", 500) == []


async def test_a_trim_hides_what_came_before(engine: Engine, tmp_path: Path) -> None:
    """Records before the trim point are gone, numbers go on, and a read from the start begins at the first left."""
    async with engine(tmp_path) as log:
        await log.append("s", data(b"a", b"b", b"c"))
        await log.append("s", [trim(2)])
        await asyncio.sleep(0)
        assert (await log.append("s", data(b"d"))).start == 4
        deadline = asyncio.get_running_loop().time() + 10
        while (first := (await everything(log, "s"))[0].seq_num) < 2:
            assert asyncio.get_running_loop().time() < deadline, first
            await asyncio.sleep(0.05)
        assert [record.seq_num for record in await everything(log, "s")] == [2, 3, 4]


async def test_a_follower_gets_the_old_and_the_new_in_order(engine: Engine, tmp_path: Path) -> None:
    """Following goes over from what is there to what is appended later, without a gap or a repeat."""
    async with engine(tmp_path) as log:
        await log.append("s", data(*(b"%d" % index for index in range(5))))
        got: list[int] = []
        async with asyncio.timeout(20), aclosing(log.follow("s", 2)) as batches:
            async for records in batches:
                got += [record.seq_num for record in records]
                if got[-1] >= 60:
                    break
                await log.append("s", data(b"x", b"y"))
        assert got == list(range(2, got[-1] + 1))


async def test_a_follower_may_wait_for_a_number_that_is_not_there_yet(engine: Engine, tmp_path: Path) -> None:
    """A start past the tail begins with the record that gets that number."""
    async with engine(tmp_path) as log:
        batches = log.follow("s", 3)
        waiting = asyncio.ensure_future(anext(batches))
        await log.append("s", data(b"0", b"1"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await log.append("s", data(b"2", b"3"))
        async with asyncio.timeout(20):
            assert bodies(await waiting) == [b"3"]
        await batches.aclose()


async def test_a_reader_that_leaves_early_leaves_nothing_behind(engine: Engine, tmp_path: Path) -> None:
    """Once a read or a follow is closed, nothing of it runs any more."""
    async with engine(tmp_path) as log:
        for _ in range(3):
            await log.append("s", data(*[b"x" * 1000] * 800))
        before = asyncio.all_tasks()
        for iterator in (log.read("s", 0), log.read("s", 0, end=2000), log.follow("s", 0)):
            async with aclosing(iterator) as batches:
                await anext(batches)
            left = {task for task in asyncio.all_tasks() - before if "ReadSession" in repr(task) and not task.done()}
            assert not left


async def test_a_follower_may_be_called_off_at_any_moment(engine: Engine, tmp_path: Path) -> None:
    """Whenever it is cancelled or closed, it ends at once, and leaves no task behind."""
    async with engine(tmp_path) as log:
        await log.append("s", data(b"a"))
        before = asyncio.all_tasks()

        async def follow(start: int) -> None:
            async with aclosing(log.follow("s", start)) as batches:
                async for _ in batches:
                    pass

        async with asyncio.timeout(45):
            for index in range(400):
                following = asyncio.create_task(follow(index % 2))
                await asyncio.sleep(index % 40 / 5000)
                following.cancel()
                await asyncio.wait({following})
                assert following.cancelled()
        left = {task for task in asyncio.all_tasks() - before if "ReadSession" in repr(task) and not task.done()}
        assert not left


async def test_a_session_keeps_the_order_of_its_batches(engine: Engine, tmp_path: Path) -> None:
    """Pipelined batches land in the order in which they were submitted, each at its number."""
    async with engine(tmp_path) as log:
        async with log.append_session("s") as session:
            tickets = [
                await session.submit(data(b"%d" % index), fencing_token="", match_seq_num=index) for index in range(50)
            ]
            landed = [await ticket for ticket in tickets]
        assert [appended.start for appended in landed] == list(range(50))
        assert bodies(await everything(log, "s")) == [b"%d" % index for index in range(50)]


async def test_nothing_of_a_session_lands_after_its_first_failure(engine: Engine, tmp_path: Path) -> None:
    """When one batch is refused, the batches behind it fail as well, even those that name no condition."""
    async with engine(tmp_path) as log:
        failures = 0
        async with log.append_session("s") as session:
            tickets = []
            for records, number in ((data(b"a"), 0), (data(b"b"), 7), (data(b"c"), 2)):
                try:
                    tickets.append(await session.submit(records, match_seq_num=number))
                except SeqNumMismatch:
                    failures += 1
            await tickets[0]
            for ticket in tickets[1:]:
                with pytest.raises(SeqNumMismatch):
                    await ticket
                failures += 1
        assert failures == 2
        assert bodies(await everything(log, "s")) == [b"a"]


async def test_limits_are_checked_before_anything_is_sent(engine: Engine, tmp_path: Path) -> None:
    """Too many records, too many bytes, too long a token: refused whole."""
    async with engine(tmp_path) as log:
        for batch in (
            [HEARTBEAT] * (MAX_BATCH_RECORDS + 1),
            data(b"x" * MAX_BATCH_BYTES),
            [fence("t" * 37)],
        ):
            with pytest.raises(RecordTooLarge):
                await log.append("s", batch)
        assert (await log.tail("s")).seq_num == 0
        await log.append("s", data(b"x" * (MAX_BATCH_BYTES - 8)))
        assert len((await everything(log, "s"))[0].body) == MAX_BATCH_BYTES - 8


async def test_a_name_that_no_stream_can_have_is_refused_by_every_call(engine: Engine, tmp_path: Path) -> None:
    """The refusal is the same on every engine, and no call raises anything else."""
    async with engine(tmp_path) as log:
        for name in BAD_NAMES:
            calls = (
                log.append(name, data(b"a")),
                log.tail(name),
                anext(log.read(name, 0)),
                anext(log.follow(name, 0)),
                log.append_session(name).__aenter__(),
            )
            for call in calls:
                with pytest.raises(LogRequestRefused):
                    await call


async def test_odd_names_are_streams_like_any_other(engine: Engine, tmp_path: Path) -> None:
    """Each name is a stream of its own, which can be appended to, read and followed."""
    async with engine(tmp_path) as log:
        for name in GOOD_NAMES:
            await log.append(name, data(name.encode()), match_seq_num=0)
        for name in GOOD_NAMES:
            assert bodies(await everything(log, name)) == [name.encode()]
            async with asyncio.timeout(20), aclosing(log.follow(name, 1)) as batches:
                waiting = asyncio.ensure_future(anext(batches))
                await log.append(name, data(b"more"))
                assert bodies(await waiting) == [b"more"]


async def test_any_bytes_come_back_as_they_were(engine: Engine, tmp_path: Path) -> None:
    """Bodies and headers are bytes to the log; commands that make no sense are refused whole."""
    async with engine(tmp_path) as log:
        for record in BAD_RECORDS:
            with pytest.raises(LogRequestRefused):
                await log.append("s", [NewRecord(b"before"), record])
        plain = [record for record in GOOD_RECORDS if all(name for name, _ in record.headers)]
        await log.append("s", plain, match_seq_num=0)
        assert [NewRecord(record.body, record.headers) for record in await everything(log, "s")] == plain
        for record in GOOD_RECORDS:
            await log.append("other", [record])


async def test_a_cursor_from_nowhere_is_no_error(engine: Engine, tmp_path: Path) -> None:
    """A start past everything that can be numbered yields nothing; a negative one is refused."""
    async with engine(tmp_path) as log:
        await log.append("s", data(b"a"))
        for start in (2**63 - 1, 2**63, 2**64, 10**40):
            assert await everything(log, "s", start) == []
            assert bodies(await everything(log, "s", 0, start))[:1] == [b"a"]
            async with aclosing(log.follow("s", start)) as batches:
                waiting = asyncio.ensure_future(anext(batches))
                await log.append("s", data(b"b"))
                assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
                waiting.cancel()
                await asyncio.wait({waiting})
        for call in (anext(log.read("s", -1)), anext(log.follow("s", -1)), anext(log.read("s", 0, end=-1))):
            with pytest.raises(LogRequestRefused):
                await call


async def test_a_batch_refused_before_it_is_sent_leaves_the_session_usable(engine: Engine, tmp_path: Path) -> None:
    """Only what reached the log can fail a session; and nobody has to ask for an acknowledgement."""
    async with engine(tmp_path) as log:
        async with log.append_session("s") as session:
            for batch, error in (
                (data(b"x" * MAX_BATCH_BYTES), RecordTooLarge),
                ([], LogRequestRefused),
                ([BAD_RECORDS[0]], LogRequestRefused),
            ):
                with pytest.raises(error):
                    await session.submit(batch)
            await session.submit(data(b"a"), match_seq_num=0)
        assert bodies(await everything(log, "s")) == [b"a"]


async def test_a_closed_log_says_so(engine: Engine, tmp_path: Path) -> None:
    """Calls after ``close`` raise LogUnavailable."""
    async with engine(tmp_path) as log:
        await log.append("s", data(b"a"))
        await log.close()
        with pytest.raises(LogUnavailable):
            await log.append("s", data(b"b"))
        with pytest.raises(LogUnavailable):
            await log.tail("s")
