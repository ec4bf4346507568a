"""The streams in a file against a model of them: any appends, conditions, fences, trims and reads, by two logs."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.errors import FencingTokenMismatch, SeqNumMismatch
from resumable_chat.log.sqlite import SqliteLog
from resumable_chat.protocol.records import NewRecord, fence, trim

STREAMS = ("a", "é/\U0001f600", "x" * 512)
TOKENS = ("", "one", "two", "t" * 36)

record = st.one_of(
    st.binary(max_size=20).map(NewRecord),
    st.tuples(st.binary(min_size=1, max_size=5), st.binary()).map(lambda header: NewRecord(b"odd", (header,))),
    st.sampled_from(TOKENS).map(fence),
    st.one_of(st.integers(0, 30), st.just(2**64 - 1)).map(trim),
)
step = st.tuples(
    st.booleans(),
    st.sampled_from(STREAMS),
    st.lists(record, min_size=1, max_size=5),
    st.none() | st.sampled_from(TOKENS),
    st.none() | st.integers(0, 20),
)


@dataclass
class Model:
    """A stream as the port describes it."""

    token: str = ""
    next_seq: int = 0
    records: dict[int, NewRecord] = field(default_factory=dict)

    def append(self, records: list[NewRecord], token: str | None, number: int | None) -> tuple[Any, ...]:
        if token is not None and token != self.token:
            return "token", self.token
        if number is not None and number != self.next_seq:
            return "number", self.next_seq
        start = self.next_seq
        for new in records:
            self.records[self.next_seq] = new
            self.next_seq += 1
        for seq, new in enumerate(records, start):
            if new.headers == ((b"", b"fence"),):
                self.token = new.body.decode()
            elif new.headers == ((b"", b"trim"),):
                point = min(int.from_bytes(new.body, "big"), seq + 1)
                self.records = {at: kept for at, kept in self.records.items() if at >= point}
        return "landed", start, self.next_seq


async def append(log: SqliteLog, stream: str, records: list[NewRecord], token: Any, number: Any) -> tuple[Any, ...]:
    try:
        appended = await log.append(stream, records, fencing_token=token, match_seq_num=number)
    except FencingTokenMismatch as refused:
        return "token", refused.current
    except SeqNumMismatch as refused:
        return "number", refused.current
    return "landed", appended.start, appended.end


@settings(max_examples=60, deadline=None)
@given(st.lists(step, max_size=12), st.integers(0, 20), st.integers(0, 20))
def test_a_file_holds_what_the_port_says(steps: list[Any], start: int, end: int) -> None:
    """Each append has the outcome of the model, and each read gives the model's records."""

    async def main(folder: Path) -> None:
        logs, models = [SqliteLog(folder / "log.db") for _ in range(2)], {name: Model() for name in STREAMS}
        for second, stream, records, token, number in steps:
            outcome = await append(logs[second], stream, records, token, number)
            assert outcome == models[stream].append(records, token, number)
        for stream, model in models.items():
            assert (await logs[0].tail(stream)).seq_num == model.next_seq
            read = [got async for batch in logs[1].read(stream, start, end=end) for got in batch]
            expected = {seq: kept for seq, kept in model.records.items() if start <= seq < end}
            assert {got.seq_num: NewRecord(got.body, got.headers) for got in read} == expected
        for log in logs:
            await log.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


async def test_a_long_stream_is_read_in_pages(tmp_path: Path) -> None:
    """A page is about a megabyte or some thousand records, so that no read holds a whole log in memory."""
    log = SqliteLog(tmp_path / "log.db")
    for _ in range(10):
        await log.append("small", [NewRecord(b"x")] * 1000)
        await log.append("large", [NewRecord(b"x" * 500_000)])
    small = [len(batch) async for batch in log.read("small", 0)]
    large = [len(batch) async for batch in log.read("large", 0)]
    assert sum(small) == 10_000 and max(small) == 4096
    assert sum(large) == 10 and max(large) == 3
    await log.close()
