"""The way of an append from the event loop to the thread that writes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from resumable_chat.errors import LogUnavailable, SeqNumMismatch
from resumable_chat.log.port import Appended
from resumable_chat.log.sqlite.queue import AppendQueue, Lane, QueuedAppend
from resumable_chat.protocol.records import NewRecord


def queued(lane: Lane | None = None, over: Callable[[], None] = lambda: None) -> QueuedAppend:
    return QueuedAppend("s", [NewRecord(b"a")], None, None, lane or Lane(), asyncio.get_running_loop(), over)


async def test_appends_are_taken_in_order_and_in_groups() -> None:
    """A group is the oldest that wait, and no larger than asked for."""
    queue, appends = AppendQueue(), [queued() for _ in range(7)]
    for append in appends:
        queue.put(append)
    assert queue.take(3) == appends[:3]
    assert queue.take(99) == appends[3:]


async def test_what_was_not_taken_can_be_withdrawn() -> None:
    """An append is either taken or withdrawn, never both."""
    queue, first, second = AppendQueue(), queued(), queued()
    queue.put(first)
    queue.put(second)
    assert queue.withdraw(first) and not queue.withdraw(first)
    assert queue.take(9) == [second]
    assert not queue.withdraw(second)


async def test_a_closed_queue_gives_out_what_it_has_and_takes_no_more() -> None:
    """A thread that waits for appends ends when there are none."""
    queue, append = AppendQueue(), queued()
    queue.put(append)
    queue.close()
    with pytest.raises(LogUnavailable, match="closed"):
        queue.put(queued())
    assert queue.take(9) == [append]
    assert queue.take(9) == []


async def test_closing_wakes_the_thread_that_waits() -> None:
    """A thread in ``take`` hears that the queue was closed."""
    queue = AppendQueue()
    thread = threading.Thread(target=queue.take, args=(1,), daemon=True)
    thread.start()
    queue.close()
    thread.join(10)
    assert not thread.is_alive()


async def test_a_failure_is_that_of_the_whole_lane() -> None:
    """Those behind a failed append can see what failed; the first result that is handed over stays."""
    lane = Lane()
    first, error = queued(lane), SeqNumMismatch(3)
    first.fail(error)
    first.settle()
    first.result = Appended(0, 1, 1)
    first.settle()
    assert lane.failure is error
    with pytest.raises(SeqNumMismatch):
        await first.future


async def test_room_is_given_back_once_and_not_before_the_end() -> None:
    """An append that nobody waits for any more takes room until it is written or given up."""
    given_back: list[str] = []
    append = queued(over=lambda: given_back.append("room"))
    append.future.cancel()
    await asyncio.sleep(0)
    assert not given_back
    append.result = Appended(0, 1, 1)
    append.settle()
    append.settle()
    assert given_back == ["room"]
