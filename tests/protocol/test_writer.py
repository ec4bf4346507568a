"""The writer, told what happens in virtual time: when it appends, what it does after a failure, and what it bounds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.protocol import writer as module
from resumable_chat.protocol.chunks import MAX_CHUNK_BYTES, ChunkTooLarge, decode, encode, text_content
from resumable_chat.protocol.lifecycle import Lifecycle
from resumable_chat.protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, check_limits
from resumable_chat.protocol.outcomes import Ending, Outcome
from resumable_chat.protocol.records import HEARTBEAT, NewRecord, Record, fence, fence_token
from resumable_chat.protocol.writer import Batch, ReadFrom, State, Wait, Writer
from resumable_chat.settings import MIN_LEASE_MS

FINISHED = Ending(Outcome.FINISHED)
END = "end-abcd.kkkkkkkkkkkk"
SHORTEST_LEASE = MIN_LEASE_MS / 1000


def writer(*, batch_size: int = 10, linger: float = 0.05, begun: bool = True) -> Writer:
    """A writer at time 0, whose RUN_STARTED is in the log already if it has ``begun``."""
    made = Writer(
        Lifecycle("r", "t", "m"), token="session-x", next_seq=1, now=0.0, batch_size=batch_size, linger=linger
    )
    if begun:
        made.push({"type": "RUN_STARTED"}, 0.0, 0)
        made.acknowledged(batch(made, 0.0), 0.0)
    return made


def custom(name: object) -> dict[str, Any]:
    return {"type": "CUSTOM", "name": str(name)}


def push(made: Writer, *names: object, now: float = 0.0) -> None:
    for name in names:
        assert made.push(custom(name), now, 0) is None


def batch(made: Writer, now: float) -> Batch:
    taken = made.take(now)
    assert isinstance(taken, Batch), taken
    return taken


def waits(made: Writer, now: float) -> float | None:
    taken = made.take(now)
    assert isinstance(taken, Wait), taken
    return taken.until


def told(batch: Batch) -> list[str]:
    return [told_record(record) for record in batch.records]


def told_record(record: NewRecord) -> str:
    token = fence_token(record)
    if token is not None:
        return token
    chunk = decode(record.body)
    return "heartbeat" if chunk is None else chunk.get("name", chunk["type"])


def records(batch: Batch) -> list[Record]:
    return [Record(batch.start + index, 0, *record) for index, record in enumerate(batch.records)]


def pipelined(**options: Any) -> Writer:
    """A writer that met a slow log, with nothing on its way."""
    made = writer(**options)
    push(made, "slow")
    first = batch(made, 0.0)
    push(made, "more")
    made.acknowledged(first, module.PIPELINE_FROM * 1.01)
    made.acknowledged(batch(made, 1.0), 1.0)
    return made


# Pace


def test_a_chunk_goes_out_at_once_when_nothing_is_on_its_way() -> None:
    """The first word waits for nothing."""
    made = writer()
    push(made, "a", now=0.5)
    assert told(batch(made, 0.5)) == ["a"]


def test_behind_an_append_chunks_wait_for_its_answer() -> None:
    """A fast log gets single appends, one at a time."""
    made = writer()
    push(made, "a")
    first = batch(made, 0.0)
    push(made, *range(30))
    assert waits(made, 9.0) is None
    made.acknowledged(first, 0.001)
    assert told(batch(made, 0.001)) == [str(index) for index in range(30)]


def test_a_slow_log_gets_pipelined_batches_when_they_are_full_or_old() -> None:
    """Behind a batch on its way, the next goes at ``batch_size`` chunks or after ``linger`` seconds."""
    made = pipelined(batch_size=3, linger=0.05)
    push(made, "a", now=2.0)
    assert not batch(made, 2.0).alone
    push(made, "b", now=2.01)
    push(made, "c", now=2.02)
    assert waits(made, 2.02) == pytest.approx(2.06)
    assert told(batch(made, 2.06)) == ["b", "c"]
    push(made, "d", "e", "f", now=2.07)
    assert told(batch(made, 2.07)) == ["d", "e", "f"]


@pytest.mark.parametrize(("took", "expected"), [(0.9, False), (1.1, True)])
def test_only_a_slow_answer_with_more_due_changes_the_way(took: float, expected: bool) -> None:
    """A session costs more to open than a fast log takes for a whole append."""
    made = writer()
    push(made, "a")
    first = batch(made, 0.0)
    push(made, "b")
    made.acknowledged(first, took * module.PIPELINE_FROM)
    assert batch(made, 0.1).alone is not expected


def test_no_more_than_sixteen_batches_are_on_their_way() -> None:
    """A log that stops answering is not buried under appends."""
    made = pipelined(batch_size=1)
    for index in range(20):
        push(made, index, now=2.0)
        if isinstance(made.take(2.0), Wait):
            break
    assert index == 16


def test_a_terminal_chunk_waits_a_moment_for_its_fence() -> None:
    """They share a batch, so that a reader never sees an answer end that still runs."""
    made = writer(linger=0.05)
    made.push({"type": "RUN_FINISHED"}, 1.0, 0)
    assert waits(made, 1.0) == pytest.approx(1.05)
    made.finish(FINISHED, END, 1.01, 0)
    assert told(batch(made, 1.01)) == ["RUN_FINISHED", END]


def test_a_terminal_chunk_that_nothing_follows_goes_out_by_itself() -> None:
    """An agent's loop may take its time between two runs."""
    made = writer(linger=0.05)
    made.push({"type": "RUN_FINISHED"}, 1.0, 0)
    assert told(batch(made, 1.06)) == ["RUN_FINISHED"]


def test_silence_is_broken_well_within_the_shortest_lease() -> None:
    """Two heartbeats fit in, so that one may be late without the writer being taken for dead."""
    made = writer()
    now, times = 0.0, []
    while len(times) < 3:
        step = made.take(now)
        if isinstance(step, Batch):
            assert step.records == [HEARTBEAT]
            times.append(now)
            made.acknowledged(step, now)
        else:
            assert step.until is not None
            now = step.until
    gaps = [after - before for before, after in zip([0.0, *times], times, strict=False)]
    assert max(gaps) <= SHORTEST_LEASE / 2 - 0.25


# Bounds


def test_it_is_full_at_a_thousand_chunks() -> None:
    """What waits for a slow log is bounded."""
    made = writer()
    push(made, *range(999))
    assert not made.full
    push(made, 999)
    assert made.full


def test_it_is_full_at_a_megabyte() -> None:
    """Large chunks are counted by their size, and room comes back when they are on their way."""
    made = writer()
    half = {"type": "CUSTOM", "name": "x", "value": "x" * (512 * 1024)}
    made.push(half, 0.0, 0)
    assert not made.full
    made.push(half, 0.0, 0)
    assert made.full
    batch(made, 0.0)
    assert not made.full


def test_every_batch_is_within_the_limits_of_an_append() -> None:
    """Thousands of chunks and megabytes are spread over batches, with room for the fence in the last."""
    made = writer()
    push(made, *range(2_500))
    for _ in range(3):
        made.push({"type": "CUSTOM", "name": "large", "value": "x" * (MAX_CHUNK_BYTES - 60)}, 0.0, 0)
    made.finish(FINISHED, "end-" + "x" * 32, 0.0, 0)
    names: list[str] = []
    while not made.done:
        step = batch(made, 0.0)
        check_limits(step.records)
        names += told(step)
        made.acknowledged(step, 0.0)
    assert names == [*map(str, range(2_500)), *["large"] * 3, "RUN_FINISHED", "end-" + "x" * 32]


def test_the_last_chunk_shares_its_batch_with_the_fence() -> None:
    """Room is kept for it, also when a chunk alone fills a batch, and when a thousand do."""
    for count in (MAX_BATCH_RECORDS - 2, MAX_BATCH_RECORDS - 1, MAX_BATCH_RECORDS):
        made = writer()
        push(made, *range(count))
        made.finish(FINISHED, END, 0.0, 0)
        last: list[str] = []
        while not made.done:
            step = batch(made, 0.0)
            check_limits(step.records)
            last = told(step)
            made.acknowledged(step, 0.0)
        assert last[-2:] == ["RUN_FINISHED", END]
    for short in range(100):
        made = writer()
        made.push({"type": "CUSTOM", "name": "large", "value": "x" * (MAX_CHUNK_BYTES // 2)}, 0.0, 0)
        left = MAX_BATCH_BYTES - MAX_CHUNK_BYTES // 2 - 150 - short
        made.push({"type": "RUN_FINISHED", "finishReason": "stop", "rest": "x" * left}, 0.0, 0)
        made.finish(FINISHED, "end-" + "x" * 32, 0.0, 0)
        while not made.done:
            step = batch(made, 0.0)
            check_limits(step.records)
            last = told(step)
            made.acknowledged(step, 0.0)
        assert last[-2:] == ["RUN_FINISHED", "end-" + "x" * 32]


def test_a_delta_over_the_limit_is_split_and_any_other_chunk_is_refused() -> None:
    """A refused chunk leaves no trace in the books."""
    made = writer()
    made.push(text_content("m", "x" * (2 * MAX_BATCH_BYTES)), 0.0, 0)
    with pytest.raises(ChunkTooLarge):
        made.push({"type": "RUN_FINISHED", "rest": "x" * MAX_BATCH_BYTES}, 0.0, 0)
    assert made.resolve(Ending(Outcome.STOPPED)).outcome is Outcome.STOPPED


def test_neighbouring_deltas_of_one_message_share_a_record() -> None:
    """Nothing else is merged, and a source may reuse the dict that it yielded."""
    made = writer()
    made.push({"type": "TEXT_MESSAGE_START", "messageId": "a", "role": "assistant"}, 0.0, 0)
    reused: dict[str, Any] = {}
    for target, text in (("a", "1"), ("a", "2"), ("b", "3"), ("b", "4"), ("a", "5")):
        reused.update(text_content(target, text))
        made.push(reused, 0.0, 0)
    chunks = [decode(record.body) or {} for record in batch(made, 0.0).records]
    assert [chunk.get("delta") for chunk in chunks] == [None, "12", "34", "5"]


# Failures


def test_an_append_with_an_unknown_outcome_is_tried_again_as_it_was() -> None:
    """The same records under the same sequence number, so that they land once, after a pause that grows."""
    made = writer()
    push(made, "a", now=1.0)
    first = batch(made, 1.0)
    made.unknown(first, 1.0)
    push(made, "b", now=1.01)
    now, pauses = 1.0, []
    for _ in range(8):
        until = waits(made, now)
        assert until is not None
        pauses.append(round(until - now, 3))
        now = until
        again = batch(made, now)
        assert (again.start, told(again), again.alone) == (2, ["a"], True)
        made.unknown(again, now)
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    made.acknowledged(batch(made, waits(made, now) or 0.0), now)
    assert told(batch(made, now)) == ["b"]


def test_nothing_new_goes_out_until_all_that_failed_is_settled() -> None:
    """Of several batches on their way, the first failure stops the pipeline; the others are tried in order."""
    made = pipelined(batch_size=1)
    sent = []
    for name in "abc":
        push(made, name, now=2.0)
        sent.append(batch(made, 2.0))
    made.unknown(sent[0], 2.0)
    push(made, "d", now=2.0)
    assert waits(made, 3.0) is None
    made.unknown(sent[1], 2.0)
    made.unknown(sent[2], 2.0)
    for name in "abc":
        again = batch(made, 3.0)
        assert told(again) == [name] and again.alone
        assert waits(made, 3.0) is None
        made.acknowledged(again, 3.0)
    assert told(batch(made, 3.0)) == ["d"]


def test_a_landed_batch_whose_answer_was_lost_is_found() -> None:
    """Its sequence number is taken, by itself: it is not written again."""
    made = writer()
    push(made, "a")
    first = batch(made, 0.0)
    made.unknown(first, 0.0)
    again = batch(made, 1.0)
    made.displaced(again)
    assert made.take(1.0) == ReadFrom(2)
    made.found(records(first))
    push(made, "b", now=1.0)
    after = batch(made, 1.0)
    assert (after.start, told(after)) == (3, ["b"])


def test_a_foreign_record_in_the_way_is_followed() -> None:
    """A mark under our token, or a record without one: what was not in the log yet goes behind it, once."""
    made = pipelined(batch_size=2)
    push(made, "a", "b", now=2.0)
    landed = batch(made, 2.0)
    push(made, "c", "d", now=2.0)
    displaced = batch(made, 2.0)
    made.unknown(landed, 2.0)
    made.displaced(displaced)
    mark = Record(landed.end, 0, b'{"type":"CUSTOM","name":"resumable.stop"}')
    assert made.take(2.0) == ReadFrom(landed.start)
    made.found([*records(landed), mark])
    again = batch(made, 3.0)
    assert (again.start, told(again)) == (mark.seq_num + 1, ["c", "d"])
    made.acknowledged(again, 3.0)
    push(made, "e", now=3.0)
    assert batch(made, 3.0).start == again.end


def test_another_token_in_force_ends_the_writer() -> None:
    """A stop or a take-over: nothing is written any more, and nothing is taken from the source."""
    made = writer()
    push(made, "a")
    made.refused(batch(made, 0.0), "end-other")
    assert made.state is State.SUPERSEDED and made.done and made.lost
    assert made.push(custom("b"), 0.0, 0) is None
    made.finish(FINISHED, END, 0.0, 0)
    assert waits(made, 99.0) is None


def test_our_own_terminal_token_in_force_is_the_end() -> None:
    """The end landed, and its answer was lost."""
    made = writer()
    made.finish(FINISHED, END, 0.0, 0)
    made.unknown(batch(made, 0.0), 0.0)
    made.refused(batch(made, 1.0), END)
    assert made.state is State.ENDED and not made.lost


def test_a_log_out_of_reach_is_given_up_after_a_minute_without_an_answer() -> None:
    """Counted from the first failure since the log last worked."""
    made = writer()
    push(made, "a")
    now = 0.0
    made.unknown(batch(made, now), now)
    for end in (59.0, 118.0):
        while now < end:
            now = waits(made, now) or now
            made.unknown(batch(made, now), now)
        assert not made.lost
        made.acknowledged(batch(made, waits(made, now) or now), now)
        push(made, "b", now=now)
        made.unknown(batch(made, now), now)
    while not made.lost:
        now = waits(made, now) or now
        made.unknown(batch(made, now), now)
    assert made.state is State.GIVEN_UP and 178.0 < now < 182.0


def test_a_log_that_cannot_be_read_is_given_up_as_well() -> None:
    """What stands in the way cannot be found out."""
    made = writer()
    push(made, "a")
    made.displaced(batch(made, 0.0))
    now = 0.0
    while not made.lost:
        assert made.take(now) == ReadFrom(2)
        made.unreachable(now, "gone")
        now += 1.0
        assert now < 70.0
    assert made.why == "gone"


# The end


def test_nothing_is_taken_from_the_source_after_the_end() -> None:
    """A source that goes on while it is called off changes nothing."""
    made = writer()
    made.finish(Ending(Outcome.DEADLINE), "error-x", 0.0, 0)
    assert made.push({"type": "RUN_FINISHED"}, 0.0, 0) is None
    made.finish(FINISHED, END, 0.0, 0)
    step = batch(made, 0.0)
    assert told(step) == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "RUN_ERROR", "error-x"]
    made.acknowledged(step, 0.0)
    assert made.state is State.ENDED and waits(made, 99.0) is None


def test_the_end_needs_no_room() -> None:
    """A writer that is full when its process must end still writes exactly one terminal."""
    made = writer()
    push(made, "sent")
    on_its_way = batch(made, 0.0)
    push(made, *range(1_000))
    assert made.full
    made.finish(Ending(Outcome.FAILED, code="shutdown"), "error-x", 0.0, 0)
    made.acknowledged(on_its_way, 0.0)
    names: list[str] = []
    while not made.done:
        step = batch(made, 0.0)
        names += told(step)
        made.acknowledged(step, 0.0)
    assert names.count("RUN_ERROR") == 1 and names[-2:] == ["RUN_ERROR", "error-x"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        7,
        {"type": 7},
        {"no": "type"},
        {"type": "CUSTOM", "name": "n", "value": {1, 2}},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": 5},
    ],
)
def test_an_event_that_cannot_be_stored_costs_itself(event: Any) -> None:
    """It is dropped with a reason, and the rest of the answer goes on."""
    made = writer()
    assert made.push(event, 0.0, 0)
    push(made, "after")
    assert told(batch(made, 0.0))[-1] == "after"


# A log that does everything wrong


class Log:
    """A log as the writer sees it: conditions are checked, answers may be lost, and others append in between.

    Behind a failure in a session, nothing of that session lands any more.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.records: list[NewRecord] = [fence("session-x")]
        self.token = "session-x"

    def append(self, made: Writer, step: Batch, now: float) -> None:
        fate = self.chance.random()
        if fate < 0.1 or (made.state is not State.WRITING and not step.alone):
            made.unknown(step, now)
            return
        if fate < 0.2:
            self.records.append(NewRecord(b'{"type":"CUSTOM","name":"foreign"}'))
        if self.token != made.token:
            made.refused(step, self.token)
        elif len(self.records) != step.start:
            made.displaced(step)
        else:
            self.records += step.records
            self.token = fence_token(step.records[-1]) or self.token
            if self.chance.random() < 0.1:
                made.unknown(step, now)
            else:
                made.acknowledged(step, now)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), batch_size=st.integers(1, 4))
def test_every_chunk_lands_once_and_in_order(seed: int, batch_size: int) -> None:
    """Whatever is lost on the way to the log or back, and whoever writes in between."""
    chance = random.Random(seed)
    log = Log(chance)
    made = writer(batch_size=batch_size, linger=0.01, begun=False)
    on_its_way: list[Batch] = []
    now, pushed = 0.0, 0
    while not made.done:
        if pushed < 30 and chance.random() < 0.5:
            push(made, pushed, now=now)
            pushed += 1
        elif pushed == 30 and not made.finishing:
            made.finish(FINISHED, END, now, 0)
        step = made.take(now)
        if isinstance(step, Batch):
            on_its_way.append(step)
        elif isinstance(step, ReadFrom):
            found = enumerate(log.records[step.start :], step.start)
            made.found([Record(seq, 0, *record) for seq, record in found])
        if on_its_way and chance.random() < 0.7:
            log.append(made, on_its_way.pop(0), now)
        now += chance.choice([0.0, 0.001, 0.02])
        assert now < 1_000
    names = [told_record(record) for record in log.records]
    expected = ["session-x", "RUN_STARTED", *map(str, range(30)), "RUN_FINISHED", END]
    assert [name for name in names if name not in ("foreign", "heartbeat")] == expected
    assert encode(custom("0")) == log.records[names.index("0")].body
