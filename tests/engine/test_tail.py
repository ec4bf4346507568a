"""One follower and one view for all readers of a stream, in virtual time: no reader slows the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from resumable_chat.engine.capacity import Capacity
from resumable_chat.engine.following import GIVE_UP_AFTER
from resumable_chat.engine.subscription import SubscriberCut, Subscription
from resumable_chat.engine.tail import Tail, TailOptions
from resumable_chat.engine.wanted import Wanted
from resumable_chat.errors import LogUnavailable, Overloaded
from resumable_chat.protocol.records import fence_token
from resumable_chat.protocol.tokens import key_of
from resumable_chat.view.view import View
from resumable_chat.wire.s2 import S2Generation, S2Session

from ..logs import OURS, VirtualLog, answer, body, events_in, message, turn
from ..virtual import run

SESSION, GENERATION = S2Session(), S2Generation()
LEASE = 15.0
RUNNING = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", finish=False)]
ENDED = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1"), "end-0"]


def text(delta: str) -> dict[str, Any]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "a", "delta": delta}


tails: list[Tail] = []


def tail_of(log: VirtualLog, *, session: bool = True, capacity: Capacity | None = None) -> Tail:
    tails.append(Tail(log, "s", TailOptions(LEASE, "lost", session=session), capacity or Capacity(100)))
    return tails[-1]


def scene(act: Callable[[VirtualLog], Awaitable[None]], log: type[VirtualLog] = VirtualLog) -> None:
    """Run a test in virtual time with a log, and close the tails it made."""

    async def play() -> None:
        try:
            await act(log())
        finally:
            while tails:
                await tails.pop().close()
            await asyncio.sleep(10)

    run(play())


async def next_of(subscription: Subscription, timeout: float = 5.0) -> list[tuple[int | None, dict[str, Any]]]:
    return events_in(body(await subscription.get(timeout)))


def fences(log: VirtualLog) -> list[str]:
    return [token for record in log.server.stream("s").records if (token := fence_token(record)) is not None]


def test_any_number_of_readers_share_one_follower() -> None:
    """A hundred readers cost one reading of the log and one follower, and get the same bytes, made once."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING)
        tail = tail_of(log)
        readers = await asyncio.gather(*(tail.subscribe(SESSION) for _ in range(100)))
        opening = [await reader.get(5) for reader in readers]
        assert len({body(pieces) for pieces in opening}) == 1 and log.reads == [0] and log.followers == 1
        assert len({id(piece) for pieces in opening for piece in pieces if not isinstance(piece, bytes)}) == 1
        log.add(text("word"))
        live = [await reader.get(5) for reader in readers]
        assert len({id(pieces[0]) for pieces in live}) == 1 and b"word" in body(live[0])
        for reader in readers:
            tail.unsubscribe(reader)
        await asyncio.sleep(3)
        assert log.followers == 0 and tail.idle

    scene(act)


def test_a_warm_tail_reads_only_what_is_new() -> None:
    """The view of a stream without readers is kept."""

    async def act(log: VirtualLog) -> None:
        log.add(*ENDED)
        tail = tail_of(log)
        tail.unsubscribe(await tail.subscribe(SESSION))
        await asyncio.sleep(3)
        log.add("session-x", *answer("b", "r2", "2"), "end-1")
        (_, snapshot), *_ = await next_of(await tail.subscribe(SESSION))
        assert [said["id"] for said in snapshot["messages"]] == ["u", "a", "b"] and log.reads == [0, len(ENDED)]

    scene(act)


def test_a_slow_reader_is_cut_and_slows_nobody() -> None:
    """Who does not read is cut off at 16 MiB; who reads gets everything."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING)
        tail = tail_of(log)
        slow, quick = await tail.subscribe(SESSION), await tail.subscribe(SESSION)
        await slow.get(5)
        received = len(await quick.get(5)) * 0
        for count in range(1, 19):
            log.add(text("x" * 1_000_000))
            received += sum(len(chunk.get("delta", "")) for _, chunk in await next_of(quick))
            assert received == count * 1_000_000
            if count == 16:
                assert len(body(await slow.get(5))) > 16_000_000
        for _ in range(17):
            log.add(text("x" * 1_000_000))
            await quick.get(5)
        with pytest.raises(SubscriberCut, match="too slow"):
            await slow.get(5)
        # What the quick one took does not count any more.
        log.add(text("a"))
        await asyncio.sleep(1)
        log.add(text("b"))
        await asyncio.sleep(1)
        assert [chunk["delta"] for _, chunk in await next_of(quick)] == ["a", "b"]

    scene(act)


def test_a_frame_over_the_bound_reaches_a_reader_that_keeps_up() -> None:
    """A long chat that is edited is sent whole; only one who lets frames wait is slow."""

    async def act(log: VirtualLog) -> None:
        log.add(OURS, *turn(message("u", "x" * 500_000)), *answer("a", "r", *["y" * 900_000] * 20), "end-0")
        tail = tail_of(log)
        reader = await tail.subscribe(SESSION)
        await reader.get(5)
        said = {"id": "s", "role": "system", "parts": [{"type": "text", "content": "be brief"}]}
        log.add(OURS, *turn(said, "a"))
        assert len(body(await reader.get(5))) > 18_000_000

    scene(act)


def test_two_short_outages_cut_nobody() -> None:
    """The log fails for five seconds, works for forty, and fails again: a reader without news notices nothing."""

    async def act(log: VirtualLog) -> None:
        log.add(*ENDED)
        tail = tail_of(log)
        reader = await tail.subscribe(SESSION)
        await reader.get(5)
        for _ in range(3):
            log.cut = True
            await asyncio.sleep(20)
            log.cut = False
            await asyncio.sleep(40)
        log.add("session-x", *answer("b", "r2", "2"))
        assert (await next_of(reader))[0][1]["type"] == "RUN_STARTED"

    scene(act)


def test_a_long_outage_cuts_all() -> None:
    """After thirty seconds they are to come back, perhaps to another process."""

    async def act(log: VirtualLog) -> None:
        log.add(*ENDED)
        tail = tail_of(log)
        reader = await tail.subscribe(SESSION)
        await reader.get(5)
        log.cut = True
        cut_at = asyncio.get_running_loop().time()
        with pytest.raises(SubscriberCut):
            await reader.get(300)
        assert GIVE_UP_AFTER < asyncio.get_running_loop().time() - cut_at < GIVE_UP_AFTER + 10
        with pytest.raises(LogUnavailable):
            await tail.subscribe(SESSION)
        log.cut = False
        assert await next_of(await tail.subscribe(SESSION))

    scene(act)


def test_a_log_that_never_answers_is_given_up() -> None:
    """A reading that hangs is no reason to wait for ever."""

    class Hanging(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> Any:
            await asyncio.Event().wait()
            yield []

    async def act(log: VirtualLog) -> None:
        tail = tail_of(log)
        with pytest.raises(LogUnavailable, match="does not answer"):
            await tail.subscribe(SESSION)
        assert asyncio.get_running_loop().time() == pytest.approx(GIVE_UP_AFTER)
        assert tail.idle

    scene(act, Hanging)


def test_an_internal_error_is_not_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback, and whoever asked gets the error itself."""

    class Broken(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> Any:
            raise ZeroDivisionError
            yield []

    async def act(log: VirtualLog) -> None:
        with pytest.raises(ZeroDivisionError):
            await tail_of(log).subscribe(SESSION)

    scene(act, Broken)
    assert "ZeroDivisionError" in caplog.text


def test_a_cursor_ahead_of_the_view_is_waited_for() -> None:
    """After an outage another process may have read further: its reader must not be set back."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING)
        tail = tail_of(log)
        first = await tail.subscribe(SESSION)
        log.cut = True
        await asyncio.sleep(2)
        log.add(text("2"), text("3"))
        log.cut = False
        ahead = await tail.subscribe(SESSION, len(RUNNING) + 1)
        assert [chunk["delta"] for _, chunk in await next_of(ahead)] == ["3"]
        tail.unsubscribe(first)

    scene(act)


def test_a_cursor_that_the_log_never_had_begins_anew() -> None:
    """A chat may have been deleted: then its reader gets a snapshot, as without a cursor."""

    async def act(log: VirtualLog) -> None:
        log.add(*ENDED)
        tail = tail_of(log)
        events = await next_of(await tail.subscribe(SESSION, 500))
        assert [chunk["type"] for _, chunk in events] == ["MESSAGES_SNAPSHOT"]
        assert asyncio.get_running_loop().time() < 1

    scene(act)


def test_a_reader_who_leaves_while_it_waits_is_forgotten() -> None:
    """No follower is left behind, and its place is free again."""

    async def act(log: VirtualLog) -> None:
        capacity = Capacity(1)
        tail = tail_of(log, capacity=capacity)
        subscribing = asyncio.create_task(tail.subscribe(SESSION))
        await asyncio.sleep(0)
        subscribing.cancel()
        await asyncio.wait({subscribing})
        assert tail.idle
        await asyncio.sleep(3)
        assert log.followers == 0
        assert await tail.subscribe(SESSION)

    scene(act)


def test_readers_over_the_bound_are_refused_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A process that is out of file descriptors would fail for everybody."""

    async def act(log: VirtualLog) -> None:
        tail = tail_of(log, capacity=Capacity(2))
        first, _ = await tail.subscribe(SESSION), await tail.subscribe(SESSION)
        for _ in range(50):
            with pytest.raises(Overloaded):
                await tail.subscribe(SESSION)
        assert len(caplog.records) == 1
        tail.unsubscribe(first)
        tail.unsubscribe(first)
        await tail.subscribe(SESSION)
        with pytest.raises(Overloaded):
            await tail.subscribe(SESSION)
        assert len(caplog.records) == 2

    scene(act)


def test_a_skipped_record_is_logged_once_with_its_position(caplog: pytest.LogCaptureFixture) -> None:
    """However many readers there are; a log full of them does not fill the server's."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING, b"odd")
        tail = tail_of(log)
        await asyncio.gather(*(tail.subscribe(SESSION) for _ in range(5)))
        assert [f"record {len(RUNNING)} of s" in record.message for record in caplog.records] == [True]
        log.add(*[b"odd"] * 1000)
        await asyncio.sleep(3)
        assert len(caplog.records) == 20 and tail.view.skipped == 1001

    scene(act)


def test_a_task_cancelled_in_mid_fold_leaves_a_whole_view() -> None:
    """The last reader leaves while a long answer is folded; the next one still sees its end."""
    subscribing: list[asyncio.Task[Subscription]] = []

    class Leaving(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> Any:
            async for batch in super().read(stream, start, end=end):
                if fence_token(batch[-1]) == "end-0" and subscribing:
                    asyncio.get_running_loop().call_soon(subscribing.pop().cancel)
                yield batch

    async def act(log: VirtualLog) -> None:
        log.add(OURS, *turn(message("u")), *answer("a", "r", *["x"] * 5000), "end-0")
        tail = tail_of(log)
        task = asyncio.create_task(tail.subscribe(SESSION))
        subscribing.append(task)
        await asyncio.wait({task})
        assert task.cancelled()
        (_, snapshot), *_ = await next_of(await tail.subscribe(SESSION))
        assert [len(said["parts"][0]["content"]) for said in snapshot["messages"]] == [2, 5000]

    scene(act, Leaving)


def test_whole_chats_that_wait_for_readers_are_bounded() -> None:
    """Each counts once for all its readers, and no more when they are gone."""

    async def act(log: VirtualLog) -> None:
        capacity = Capacity(100, messages_bytes=100_000)
        log.add(OURS, *turn(message("u", "x" * 40_000)), *answer("a", "r", "1"), "end-0")
        log.add(OURS, *turn(message("u", "x" * 40_000)), *answer("a", "r", "1"), "end-0", stream="other")
        tail = tail_of(log, capacity=capacity)
        readers = [await tail.subscribe(SESSION) for _ in range(10)]
        other = Tail(log, "other", TailOptions(LEASE, "lost"), capacity)
        tails.append(other)
        with pytest.raises(Overloaded):
            await other.subscribe(SESSION)
        for reader in readers:
            tail.unsubscribe(reader)
        del readers, reader
        assert await other.subscribe(SESSION)

    scene(act)


# --- Silent writers -----------------------------------------------------------------------------------------


def test_a_silent_writer_is_closed_after_the_lease() -> None:
    """By one reader, with its public text, and readers see the end."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING)
        tail = tail_of(log)
        reader = await tail.subscribe(SESSION)
        await reader.get(5)
        await asyncio.sleep(LEASE - 0.5)
        assert tail.view.running
        await asyncio.sleep(1.5)
        assert not tail.view.running and fences(log)[-1].startswith("error-")
        error = [chunk for _, chunk in await next_of(reader) if chunk["type"] == "RUN_ERROR"]
        assert [(chunk["message"], chunk["code"]) for chunk in error] == [("lost", "writer_lost")]

    scene(act)


@pytest.mark.parametrize("session", [True, False])
def test_a_writer_that_died_behind_its_opening_fence_is_closed(session: bool) -> None:
    """Nothing else tells that the generation runs."""

    async def act(log: VirtualLog) -> None:
        log.add(*ENDED)
        tail = tail_of(log, session=session)
        if session:
            await tail.subscribe(SESSION)
        else:
            await tail.subscribe_answer(GENERATION, 3)
        await asyncio.sleep(3)
        log.add(OURS)
        await asyncio.sleep(LEASE + 2)
        assert fences(log)[-1].startswith("error-")

    scene(act)


def test_a_heartbeat_keeps_a_writer_alive() -> None:
    """Records or not."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING)
        tail = tail_of(log)
        await tail.subscribe(SESSION)
        for _ in range(10):
            await asyncio.sleep(LEASE - 1)
            log.add(b"")
        assert tail.view.running

    scene(act)


def test_a_foreign_writer_is_left_alone() -> None:
    """Another implementation sends no heartbeats, so its silence says nothing."""

    async def act(log: VirtualLog) -> None:
        log.add("session-7Qw8xZ1k", *answer("a", "r", "1", finish=False))
        tail = tail_of(log)
        await tail.subscribe(SESSION)
        await asyncio.sleep(100 * LEASE)
        assert fences(log) == ["session-7Qw8xZ1k"]

    scene(act)


def test_a_writer_is_not_judged_by_an_outage() -> None:
    """While the log is out of reach for longer than the lease, the writer may well be alive."""

    async def act(log: VirtualLog) -> None:
        log.add(*RUNNING)
        tail = tail_of(log)
        await tail.subscribe(SESSION)
        await asyncio.sleep(1)
        log.cut = True
        await asyncio.sleep(LEASE + 5)
        log.cut = False
        await asyncio.sleep(LEASE - 3)
        assert tail.view.running

    scene(act)


def test_idle_chats_cost_nothing() -> None:
    """A follower of a chat in which nothing runs sets no timer of its own."""

    async def act(log: VirtualLog) -> None:
        log.add(*ENDED)
        tail = tail_of(log)
        await tail.subscribe(SESSION)
        await asyncio.sleep(10)
        loop: Any = asyncio.get_running_loop()
        set_up: list[str] = []
        original = loop.call_at

        def call_at(when: float, callback: Any, *args: Any, **options: Any) -> Any:
            task = asyncio.current_task()
            set_up.append(task.get_name() if task is not None else "")
            return original(when, callback, *args, **options)

        loop.call_at = call_at
        await asyncio.sleep(60)
        assert "reap s" not in set_up

    scene(act)


# --- One generation -----------------------------------------------------------------------------------------


def test_a_generation_s_readers_end_with_it() -> None:
    """They get its chunks to the end, and nothing of the next one."""

    async def act(log: VirtualLog) -> None:
        log.add(OURS, *answer("a", "r", "1", finish=False))
        tail = tail_of(log, session=False)
        reader = await tail.subscribe_answer(GENERATION)
        assert reader is not None
        log.add(text("2"), {"type": "RUN_FINISHED", "runId": "r"}, "end-0", OURS, *answer("b", "r2", "x"))
        received = b""
        while not reader.is_over:
            received += body(await reader.get(5))
        deltas = [chunk["delta"] for _, chunk in events_in(received) if "delta" in chunk]
        assert deltas == ["1", "2"]

    scene(act)


def test_a_take_over_ends_the_readers_of_the_run_it_replaced() -> None:
    """Also one by another implementation, which leaves the run without a terminal: they get one."""

    async def act(log: VirtualLog) -> None:
        log.add("session-x", *answer("a", "r", "1", finish=False))
        tail = tail_of(log, session=False)
        reader = await tail.subscribe_answer(GENERATION)
        assert reader is not None
        log.add("session-y", *answer("b", "r2", "x"))
        received = b""
        while not reader.is_over:
            received += body(await reader.get(5))
        events = events_in(received)
        assert events[-1][1]["type"] == "RUN_ERROR" and "'messageId': 'b'" not in str(events)

    scene(act)


def test_a_wire_format_that_fails_costs_its_own_readers_alone(caplog: pytest.LogCaptureFixture) -> None:
    """They have to come back; the traceback is in the log."""

    class Failing(S2Generation):
        def live(self, view: View, events: Any) -> Any:
            raise ZeroDivisionError

    async def act(log: VirtualLog) -> None:
        log.add(OURS, *answer("a", "r", "1", finish=False))
        tail = tail_of(log, session=False)
        unlucky = await tail.subscribe_answer(Failing())
        reader = await tail.subscribe_answer(GENERATION)
        assert unlucky is not None and reader is not None
        log.add(text("2"), {"type": "RUN_FINISHED", "runId": "r"}, "end-0")
        received = b""
        while not reader.is_over:
            received += body(await reader.get(5))
        assert events_in(received)[-1][1]["type"] == "RUN_FINISHED"
        with pytest.raises(SubscriberCut):
            await unlucky.get(5)

    scene(act)
    assert any(record.exc_info for record in caplog.records)


def test_a_generation_is_found_by_its_start_its_run_or_a_cursor() -> None:
    """Nothing is subscribed to if it is not the newest one."""

    async def act(log: VirtualLog) -> None:
        log.add(f"{OURS}.{key_of('known')}", *answer("a", "r", "1"), "end-0")
        tail = tail_of(log, session=False)
        for wanted, cursor, found in (
            (Wanted(), None, False),
            (Wanted(start=0), None, True),
            (Wanted(start=3), None, False),
            (Wanted(run_id="known"), None, True),
            (Wanted(run_id="r"), None, True),
            (Wanted(run_id="another"), None, False),
            (Wanted(), 3, True),
            (Wanted(), 0, False),
            (Wanted(), 6, False),
        ):
            subscription = await tail.subscribe_answer(GENERATION, cursor, wanted)
            assert (subscription is not None) is found, (wanted, cursor)
            if subscription is not None:
                assert not subscription.is_over
                await subscription.get(5)
                assert subscription.is_over

    scene(act)


def test_closing_cuts_all_readers() -> None:
    """They come back to another process."""

    async def act(log: VirtualLog) -> None:
        tail = tail_of(log)
        reader = await tail.subscribe(SESSION)
        await tail.close()
        with pytest.raises(SubscriberCut, match="shutting down"):
            await reader.get(5)
        assert log.followers == 0

    scene(act)
