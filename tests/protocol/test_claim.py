"""The claim machine: what it asks of the log for each answer, in which order, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.errors import AppendOutcomeUnknown, FencingTokenMismatch, SeqNumMismatch
from resumable_chat.protocol import tokens
from resumable_chat.protocol.claim import Busy, Claim, Conflict, Repeated, Used, Won
from resumable_chat.protocol.marks import stop_mark
from resumable_chat.protocol.records import fence
from resumable_chat.protocol.steps import Append, CheckTail, Landed, Read, ReadBack, TailAt, Wait

from .logs import generation, log, types, walk

RUN = "run-1"
KEY = tokens.key_of(RUN)
OURS = tokens.opening(KEY)
OTHER = tokens.opening(tokens.key_of("run-2"))
FOREIGN = "session-7Qw8xZ1k"
ENDED = tokens.terminal(tokens.key_of("run-2"))
UNKNOWN = AppendOutcomeUnknown("no answer")
LEASE_MS, FOREIGN_LEASE_MS = 15_000, 60_000
STARTED = {"type": "RUN_STARTED", "runId": "run-2"}


def claim(guess: str = "", **options: Any) -> Claim:
    return Claim(
        OURS,
        RUN,
        guess=guess,
        lease_ms=LEASE_MS,
        foreign_lease_ms=FOREIGN_LEASE_MS,
        writer_lost_message="gone",
        **options,
    )


def opening(guess: str, match_seq_num: int | None = None) -> Append:
    return Append([fence(OURS)], guess, match_seq_num, with_body=True)


def refused(token: str) -> FencingTokenMismatch:
    return FencingTokenMismatch(token)


def tail(seq_num: int, silence_ms: int) -> TailAt:
    return TailAt(seq_num, 1_000_000, 1_000_000 + silence_ms)


@pytest.mark.parametrize("guess", ["", ENDED, FOREIGN])
def test_a_right_guess_takes_one_append(guess: str) -> None:
    """A new chat, and one whose token this process knows, are claimed in one round trip."""
    assert walk(claim(guess), [Landed(7, 12)]) == [opening(guess), Won(7, 12, stopped=False)]


@pytest.mark.parametrize("token", ["", ENDED, "error-1234", "end-of-the-world", tokens.stopped_early("k" * 12)])
def test_a_wrong_guess_takes_two(token: str) -> None:
    """The refusal names the token under which the claim is tried again."""
    told = walk(claim("end-0000"), [refused(token), Landed(3, 4)])
    assert told == [opening("end-0000"), opening(token), Won(3, 4, stopped=False)]


@pytest.mark.parametrize("token", [OURS, tokens.opening(KEY), tokens.terminal(KEY), tokens.terminal(KEY, failed=True)])
@pytest.mark.parametrize(("same", "result"), [(True, Repeated()), (False, Conflict())])
def test_a_run_that_is_there_is_compared(token: str, same: bool, result: Repeated | Conflict) -> None:
    """The stored message is read only then. The same one is a repeated request, another one a conflict."""
    if token == OURS:
        token = tokens.opening(KEY)
    there = generation(tokens.opening(KEY), start=5)
    told = walk(claim(repeats=lambda found: same), [refused(token), tail(9, 0), there])
    assert told == [opening(""), CheckTail(), ReadBack(9), result]


def test_a_guess_with_this_run_is_never_written_under() -> None:
    """The run ended in this very process, so it is compared without an append."""
    there = generation(tokens.opening(KEY), tokens.terminal(KEY), start=5)
    assert walk(claim(tokens.terminal(KEY)), [tail(9, 0), there]) == [CheckTail(), ReadBack(9), Repeated()]


def test_an_old_guess_with_this_run_is_dropped() -> None:
    """Another run followed elsewhere, so the claim begins without a guess."""
    told = walk(claim(tokens.terminal(KEY)), [tail(9, 0), generation(OTHER, start=5), refused(ENDED), Landed(9, 10)])
    assert told[2:] == [opening(""), opening(ENDED), Won(9, 10, stopped=False)]


@pytest.mark.parametrize("guess", ["", tokens.stopped_early(KEY)])
def test_a_run_that_was_stopped_before_is_claimed_as_stopped(guess: str) -> None:
    """Its message is stored, and its source must not be called."""
    answers = [Landed(1, 4)] if guess else [refused(tokens.stopped_early(KEY)), Landed(1, 4)]
    assert walk(claim(guess), answers)[-1] == Won(1, 4, stopped=True)


@pytest.mark.parametrize(
    ("token", "silence_ms", "retry_after"),
    [
        (OTHER, 0, 5),
        (OTHER, 10_000, 5),
        (OTHER, 10_001, 5),
        (OTHER, 11_000, 4),
        (OTHER, 12_001, 3),
        (OTHER, 14_500, 1),
        (OTHER, 14_999, 1),
        (OTHER, -999, 5),
        (FOREIGN, 14_999, 5),
        (FOREIGN, -59_999, 5),
        (FOREIGN, 59_999, 1),
    ],
)
def test_under_the_lease_the_chat_is_busy(token: str, silence_ms: int, retry_after: int) -> None:
    """The sender is told to ask again when a dead writer's lease would be over, within 1 to 5 seconds."""
    assert walk(claim(), [refused(token), tail(9, silence_ms)]) == [opening(""), CheckTail(), Busy(retry_after)]


@pytest.mark.parametrize(
    ("token", "silence_ms"),
    [(OTHER, 15_000), (OTHER, 7_200_000), (OTHER, -1_000), (OTHER, -7_200_000), (FOREIGN, 60_000), (FOREIGN, -60_000)],
)
def test_a_silent_writer_is_watched_for_three_seconds(token: str, silence_ms: int) -> None:
    """Two clocks say that it is dead, or that one of them is wrong. Without a new record, its run is closed as lost."""
    watching = [None, tail(9, silence_ms)] * 6
    dead = generation(token, STARTED, {"type": "TEXT_MESSAGE_START", "messageId": "m"}, start=6)
    machine = claim()
    told = walk(machine, [refused(token), tail(9, silence_ms), *watching, dead])
    assert told[1:-1] == [CheckTail(), *[Wait(0.5), CheckTail()] * 6, ReadBack(9)]
    closing = told[-1]
    assert (closing.fencing_token, closing.match_seq_num, closing.with_body) == (token, 9, False)
    assert types(closing.records) == ["TEXT_MESSAGE_END", "RUN_ERROR", "<error>"]
    assert b'"gone"' in closing.records[1].body and b'"writer_lost"' in closing.records[1].body
    end = closing.records[-1].body.decode()
    assert walk(machine, [Landed(9, 12), Landed(12, 15)]) == [closing, opening(end), Won(12, 15, stopped=False)]


@pytest.mark.parametrize("looks", range(6))
def test_a_new_record_while_it_is_watched_is_a_living_writer(looks: int) -> None:
    """The claim ends as busy as soon as the record is seen."""
    told = walk(claim(), [refused(OTHER), tail(9, 10**9), *[None, tail(9, 10**9)] * looks, None, tail(10, 10**9)])
    assert told[-1] == Busy(5) and told.count(Wait(0.5)) == looks + 1


def test_a_short_lease_is_the_longest_time_to_wait() -> None:
    """Nobody is told to wait for longer than the lease."""
    machine = Claim(OURS, RUN, lease_ms=3_000, foreign_lease_ms=60_000, writer_lost_message="")
    assert walk(machine, [refused(OTHER), tail(9, 0)])[-1] == Busy(3)


TO_CLOSING = [refused(OTHER), tail(9, 10**9), *[None, tail(9, 10**9)] * 6]


def test_a_writer_that_wakes_before_it_is_closed_lives() -> None:
    """A record that came between the last look and the closing refuses it."""
    assert walk(claim(), [*TO_CLOSING, generation(OTHER, start=8), SeqNumMismatch(10)])[-1] == Busy(5)


@pytest.mark.parametrize("found", [generation(OTHER, ENDED, start=7), generation(FOREIGN, start=8)])
def test_a_generation_that_ended_meanwhile_is_not_closed(found: Any) -> None:
    """The claim looks at the token in force again."""
    assert walk(claim(), [*TO_CLOSING, found])[-1] == opening(OTHER)


def test_another_that_was_quicker_to_close_it_is_found() -> None:
    """Its token is the next guess, or says that its run goes on."""
    told = walk(claim(), [*TO_CLOSING, generation(OTHER, start=8), refused(ENDED), Landed(11, 12)])
    assert told[-2:] == [opening(ENDED), Won(11, 12, stopped=False)]


def test_a_closing_with_an_unknown_outcome_is_settled() -> None:
    """If it landed, its token is in force."""
    machine = claim()
    closing = walk(machine, [*TO_CLOSING, generation(OTHER, start=8)])[-1]
    end = closing.records[-1].body.decode()
    told = walk(machine, [UNKNOWN, None, refused(end), Landed(12, 13)])
    assert told[1:] == [Wait(0.1), opening(OTHER), opening(end), Won(12, 13, stopped=False)]


def test_a_stop_that_the_dead_generation_holds_wins() -> None:
    """This run was stopped while the dead writer's went on."""
    dead = generation(OTHER, STARTED, stop_mark(RUN), start=6)
    assert walk(claim(), [*TO_CLOSING, dead, Landed(9, 12), Landed(12, 15)])[-1] == Won(12, 15, stopped=True)


def test_a_claim_that_landed_unacknowledged_is_recognised() -> None:
    """Its own token is in force: it is located, and what came after it is counted."""
    told = walk(claim(), [UNKNOWN, None, refused(OURS), tail(9, 0), generation(OURS, start=5)])
    assert told == [opening(""), Wait(0.05), opening(""), CheckTail(), ReadBack(9), Won(5, 9, stopped=False)]


def test_a_claim_that_landed_and_was_ended_is_a_repetition() -> None:
    """Someone stopped the run before its claim was settled: nothing runs."""
    answers = [
        UNKNOWN,
        None,
        refused(tokens.terminal(KEY)),
        tail(9, 0),
        generation(OURS, tokens.terminal(KEY), start=5),
    ]
    assert walk(claim(), answers)[-1] == Repeated()


def test_a_claim_that_was_ended_while_it_was_located_is_looked_at_again() -> None:
    """The next refusal names the run's own key."""
    ended = generation(OURS, tokens.terminal(KEY), start=5)
    assert walk(claim(), [UNKNOWN, None, refused(OURS), tail(9, 0), ended])[-1] == opening("")


def test_unknown_outcomes_are_retried_with_growing_pauses_eight_times() -> None:
    """Then the log's own error is raised."""
    machine = claim()
    told = walk(machine, [UNKNOWN, None] * 7)
    assert [step.seconds for step in told if isinstance(step, Wait)] == [0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8]
    with pytest.raises(AppendOutcomeUnknown):
        machine.feed(UNKNOWN)


def test_a_claim_that_others_beat_eight_times_is_busy() -> None:
    """Eight refusals, each by a run that began and ended meanwhile."""
    told = walk(claim(), [refused(f"end-{index:04}") for index in range(8)])
    assert told[-1] == Busy(1) and len(told) == 9


# --- Single-use streams -------------------------------------------------------------------------------------


def test_a_single_use_stream_must_be_empty() -> None:
    """Its first record is the opening fence."""
    assert walk(claim(single_use=True), [Landed(0, 1)]) == [opening("", 0), Won(0, 1, stopped=False)]
    assert walk(claim(single_use=True), [SeqNumMismatch(4)]) == [opening("", 0), Used()]


@pytest.mark.parametrize("token", [OTHER, ENDED, FOREIGN, "error-1234"])
def test_a_single_use_stream_is_used_once(token: str) -> None:
    """Whether the other run goes on, ended or died."""
    assert walk(claim(single_use=True), [refused(token)]) == [opening("", 0), Used()]


@pytest.mark.parametrize("stops", [(RUN,), ("other", RUN), (RUN, "other"), ("other",)])
def test_stops_alone_do_not_use_a_single_use_stream(stops: tuple[str, ...]) -> None:
    """The run is claimed behind them."""
    left = [tokens.stopped_early(tokens.key_of(run)) for run in stops]
    answers = [refused(left[-1]), tail(len(left), 0), log(*left), Landed(2, 3)]
    told = walk(claim(single_use=True), answers)
    assert told[1:-1] == [CheckTail(), Read(len(left)), opening(left[-1], len(left))]
    assert told[-1] == Won(2, 3, stopped=RUN in stops)


@pytest.mark.parametrize("records", [[], log(OTHER, ENDED, tokens.stopped_early("k" * 12))])
def test_a_stop_behind_a_generation_leaves_the_stream_used(records: Any) -> None:
    """Also when the generation was trimmed away."""
    answers = [refused(tokens.stopped_early("k" * 12)), tail(3, 0), records]
    assert walk(claim(single_use=True), answers)[-1] == Used()
