"""What the records before a claim say of its run, and how far back they are looked through."""

from __future__ import annotations

import pytest

from resumable_chat.protocol import tokens
from resumable_chat.protocol.history import FURTHEST, KEPT_RUNS, LOOK_BACK, History, look_back_from
from resumable_chat.protocol.marks import runs_mark, stop_mark
from resumable_chat.protocol.turns import Turn

from ..chats import user
from .logs import Entry, log

RUN = "run-1"
KEY, ANOTHER = tokens.key_of(RUN), tokens.key_of("run-2")


def turn(message_id: str, run_id: str = RUN) -> Entry:
    return Turn(user(message_id), None, None, run_id).chunk()


@pytest.mark.parametrize(
    ("entries", "ran", "stopped"),
    [
        ([], False, False),
        ([tokens.opening(ANOTHER), turn("u", "run-2"), tokens.terminal(ANOTHER)], False, False),
        ([tokens.opening(KEY)], True, False),
        ([tokens.opening(KEY), turn("u"), tokens.terminal(KEY)], True, False),
        ([tokens.terminal(KEY, failed=True)], True, False),
        ([turn("u")], True, False),
        ([tokens.stopped_early(KEY)], False, True),
        ([tokens.stopped_early(ANOTHER)], False, False),
        ([tokens.opening(ANOTHER), stop_mark(RUN), tokens.terminal(ANOTHER)], False, True),
        ([stop_mark("run-2")], False, False),
        ([runs_mark([ANOTHER, KEY])], True, False),
        ([runs_mark([ANOTHER])], False, False),
        ([tokens.opening(KEY), turn("other"), tokens.terminal(KEY)], False, False),
        ([tokens.opening(KEY), turn("other"), tokens.terminal(KEY), tokens.opening(KEY), turn("u")], True, False),
        ([{"type": "CUSTOM", "name": "x", "value": "resumable.stop"}, None], False, False),
    ],
)
def test_a_run_is_found(entries: list[Entry], ran: bool, stopped: bool) -> None:
    """By its key in a fence, its turn, a stop, or the list that a trim left; not if its turn is another message."""
    history = History(RUN, lambda found: found.message["id"] == "other")
    for record in log(*entries):
        history.feed([record])
    assert (history.ran, history.stopped) == (ran, stopped)


def test_runs_are_carried_over_a_trim() -> None:
    """Those that were carried here, and those that followed, but the newest 200 only, and not the run itself."""
    old = [f"{index:012}" for index in range(KEPT_RUNS)]
    history = History(RUN)
    history.feed(log(runs_mark(old), tokens.opening(ANOTHER), tokens.terminal(ANOTHER), tokens.opening(KEY)))
    assert KEPT_RUNS == 200 and history.kept() == [*old[1:], ANOTHER]


@pytest.mark.parametrize(
    ("start", "cursor", "expected"),
    [
        (0, None, 0),
        (1_999, None, 0),
        (5_000, None, 3_000),
        (5_000, 5_000, 3_000),
        (5_000, 4_999, 3_000),
        (5_000, 1_000, 1_000),
        (5_000, 9_999, 3_000),
        (50_000, 1_000, 30_000),
        (50_000, 40_000, 40_000),
    ],
)
def test_the_look_back_is_bounded(start: int, cursor: int | None, expected: int) -> None:
    """All since the sender's cursor, but at least 2,000 records and at most 20,000."""
    assert (LOOK_BACK, FURTHEST) == (2_000, 20_000)
    assert look_back_from(start, cursor) == expected
