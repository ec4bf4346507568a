"""Which generation a reader asks for, in the view and in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resumable_chat.engine.following import GIVE_UP_AFTER
from resumable_chat.engine.wanted import Wanted, read_generation
from resumable_chat.errors import LogUnavailable
from resumable_chat.protocol.tokens import key_of

from ..logs import EPOCH_MS, OURS, VirtualLog, answer, message, turn, view_of
from ..virtual import run

FIRST = [f"{OURS}.{key_of('keyed')}", *turn(message("u"), run_id="r"), *answer("a", "r", "1"), "end-0"]
SECOND = [OURS, *turn(message("v"), run_id="s"), *answer("b", "s", "2"), "end-0"]
LATE = len(FIRST)
NOW = EPOCH_MS / 1000


@pytest.mark.parametrize(
    ("wanted", "cursor", "met"),
    [
        (Wanted(start=0), None, True),
        (Wanted(start=1), None, False),
        (Wanted(run_id="r"), None, True),
        (Wanted(run_id="keyed"), None, True),
        (Wanted(run_id="run-0"), None, True),
        (Wanted(run_id="s"), None, False),
        (Wanted(start=1, run_id="r"), None, False),
        (Wanted(), None, False),
        (Wanted(), 6, True),
        (Wanted(), 0, False),
        (Wanted(), 10**9, False),
    ],
)
def test_an_ended_generation_is_met(wanted: Wanted, cursor: int | None, met: bool) -> None:
    """By its start, by any id of a run in it, or by a cursor in it; the start counts before the run."""
    newest = view_of(*FIRST).generation
    assert newest is not None and wanted.is_met_by(newest, cursor, NOW) is met


def test_a_running_generation_is_met_by_anybody_who_names_no_other() -> None:
    """It is the newest."""
    newest = view_of(*FIRST[:-1]).generation
    assert newest is not None and Wanted().is_met_by(newest, None, NOW)
    assert not Wanted(run_id="s").is_met_by(newest, None, NOW)


def test_a_generation_that_ended_is_met_for_some_time() -> None:
    """Counted from its fence."""
    newest = view_of(*FIRST).generation
    assert newest is not None and newest.ended_at is not None
    ended = newest.ended_at / 1000
    assert Wanted(ended_within=300).is_met_by(newest, None, ended + 299)
    assert not Wanted(ended_within=300).is_met_by(newest, None, ended + 300)


@pytest.mark.parametrize(
    ("wanted", "start"),
    [
        (Wanted(start=0), 0),
        (Wanted(run_id="r"), 0),
        (Wanted(start=LATE), None),
        (Wanted(start=LATE + 1), None),
        (Wanted(run_id="nobody"), None),
        (Wanted(), None),
    ],
)
def test_an_earlier_generation_is_found_by_its_start_or_its_run(wanted: Wanted, start: int | None) -> None:
    """The view knows where in the log it is."""
    assert wanted.is_met_before(view_of(*FIRST, *SECOND)) == start


def test_an_earlier_generation_is_read_from_the_log() -> None:
    """It alone, with the chunks that readers get; and none that is not there, or has not ended."""

    async def play() -> None:
        log = VirtualLog()
        log.add(*FIRST, *SECOND, OURS)
        for start, run_id in ((0, "r"), (LATE, "s")):
            view = await read_generation(log, "s", start)
            assert view is not None and view.generation is not None
            assert view.generation.chunks[0].chunk["type"] == "RUN_STARTED"
            assert view.generation.run_id == run_id and view.generation.terminal is not None
        for start in (LATE + len(SECOND), 10**6):
            assert await read_generation(log, "s", start) is None

    run(play())


def test_a_log_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    """The reader is told to come back."""

    class Hanging(VirtualLog):
        async def read(self, stream: str, start: int, *, end: int | None = None) -> Any:
            await asyncio.Event().wait()
            yield []

    async def play() -> None:
        with pytest.raises(LogUnavailable):
            await read_generation(Hanging(), "s", 0)
        assert asyncio.get_running_loop().time() <= GIVE_UP_AFTER + 1

    run(play())
