"""The stop machine: what it asks of the log for each answer, and what it leaves behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resumable_chat.errors import AppendOutcomeUnknown, FencingTokenMismatch, LogUnavailable, SeqNumMismatch
from resumable_chat.protocol import tokens
from resumable_chat.protocol.marks import stop_mark
from resumable_chat.protocol.records import HEARTBEAT
from resumable_chat.protocol.steps import Append, CheckTail, Landed, ReadBack, TailAt, Wait
from resumable_chat.protocol.stop import NothingRuns, Stop, Stopped

from .logs import generation, types, walk

RUN = "run-1"
KEY = tokens.key_of(RUN)
OURS = tokens.opening(KEY)
OTHER = tokens.opening(tokens.key_of("run-2"))
FOREIGN = "session-7Qw8xZ1k"
ENDED = tokens.terminal(tokens.key_of("run-2"))
UNKNOWN = AppendOutcomeUnknown("no answer")
PROBE = Append([HEARTBEAT], tokens.PROBE)
STARTED = {"type": "RUN_STARTED", "runId": RUN}
TAIL = TailAt(9, 1_000, 5_000)
LANDED = Landed(9, 10)


def refused(token: str) -> FencingTokenMismatch:
    return FencingTokenMismatch(token)


@pytest.mark.parametrize("run_id", [None, RUN])
@pytest.mark.parametrize("token", [OURS, "session-7Qw8xZ1k"])
def test_a_running_run_is_ended(token: str, run_id: str | None) -> None:
    """Its open parts are closed as stopped, under its own token and at the tail that was read."""
    running = generation(token, STARTED, {"type": "TEXT_MESSAGE_START", "messageId": "m"}, start=6)
    told = walk(Stop(run_id), [refused(token), TAIL, running, LANDED])
    assert told[:3] == [PROBE, CheckTail(), ReadBack(9)] and told[-1] == Stopped()
    ending = told[3]
    assert (ending.fencing_token, ending.match_seq_num) == (token, 9)
    assert types(ending.records) == ["TEXT_MESSAGE_END", "RUN_FINISHED", "<end>"]
    run = json.loads(ending.records[0].body)["metadata"]["resumable"]["run"]
    assert (run["outcome"], run["endedAt"]) == ("stopped", "1970-01-01T00:00:05.000Z")


@pytest.mark.parametrize("token", ["", ENDED, tokens.terminal(KEY), tokens.stopped_early(KEY)])
def test_without_a_run_there_may_be_nothing_to_stop(token: str) -> None:
    """Then nothing is written."""
    assert walk(Stop(), [refused(token)]) == [PROBE, NothingRuns()]


@pytest.mark.parametrize("token", ["", ENDED, "end-of-the-world", tokens.stopped_early("k" * 12)])
def test_a_stop_waits_for_a_run_that_has_not_begun(token: str) -> None:
    """A fence with the run's key is left behind."""
    told = walk(Stop(RUN), [refused(token), LANDED])
    assert told[1].fencing_token == token and told[-1] == NothingRuns()
    left = tokens.parse(told[1].records[0].body.decode())
    assert (left.key, left.stopped_early) == (KEY, True)


@pytest.mark.parametrize("token", [tokens.stopped_early(KEY), tokens.terminal(KEY), tokens.terminal(KEY, failed=True)])
def test_a_run_that_ended_or_was_stopped_needs_no_stop(token: str) -> None:
    """A repeated stop writes nothing."""
    assert walk(Stop(RUN), [refused(token)]) == [PROBE, NothingRuns()]


def test_while_another_run_goes_on_a_mark_is_left_in_it() -> None:
    """Under that run's token, which goes on undisturbed."""
    told = walk(Stop(RUN), [refused(OTHER), TAIL, generation(OTHER, start=6), LANDED])
    assert json.loads(told[3].records[0].body) == stop_mark(RUN) and len(told[3].records) == 1
    assert (told[3].fencing_token, told[3].match_seq_num) == (OTHER, None) and told[-1] == NothingRuns()


def test_a_mark_is_left_once() -> None:
    """A repeated stop finds it."""
    told = walk(Stop(RUN), [refused(OTHER), TAIL, generation(OTHER, stop_mark(RUN), start=6)])
    assert told == [PROBE, CheckTail(), ReadBack(9), NothingRuns()]


def test_under_a_foreign_writer_nothing_is_left() -> None:
    """Another implementation's writer may not cope with a record that is not its own."""
    told = walk(Stop(RUN), [refused(FOREIGN), TAIL, generation(FOREIGN, start=6)])
    assert told == [PROBE, CheckTail(), ReadBack(9), NothingRuns()]


def test_if_the_other_run_ends_meanwhile_the_stop_is_left_behind_it() -> None:
    """The mark is refused, and a fence takes its place."""
    told = walk(Stop(RUN), [refused(OTHER), TAIL, generation(OTHER, start=6), refused(ENDED), LANDED])
    assert told[4].fencing_token == ENDED and tokens.parse(told[4].records[0].body.decode()).key == KEY


def test_if_the_run_begins_meanwhile_it_is_ended() -> None:
    """The fence is refused by the run's own opening."""
    told = walk(Stop(RUN), [refused(ENDED), refused(OURS), TAIL, generation(OURS, start=6), LANDED])
    assert told[-1] == Stopped()


@pytest.mark.parametrize("token", [OTHER, ENDED, FOREIGN])
def test_a_used_single_use_stream_gets_no_stop(token: str) -> None:
    """No other run can begin there."""
    answers = [refused(token)]
    if tokens.parse(token).running:
        answers += [TAIL, generation(token, start=6)]  # type: ignore[list-item]
    assert walk(Stop(RUN, single_use=True), answers)[-1] == NothingRuns()


@pytest.mark.parametrize("token", ["", tokens.stopped_early("k" * 12)])
def test_an_unused_single_use_stream_gets_the_stop(token: str) -> None:
    """Its run has not begun."""
    assert isinstance(walk(Stop(RUN, single_use=True), [refused(token)])[-1], Append)


def test_a_busy_writer_is_stopped_by_its_token_alone_in_the_end() -> None:
    """After three refusals for the number, the stop names only the token."""
    missed: list[Any] = [TAIL, generation(OURS, start=6), SeqNumMismatch(11)]
    told = walk(Stop(RUN), [refused(OURS), *missed * 3, TAIL, generation(OURS, start=6)])
    ends = [step.match_seq_num for step in told[1:] if isinstance(step, Append)]
    assert ends == [9, 9, 9, None]


def test_a_generation_that_changed_while_it_was_read_is_looked_at_again() -> None:
    """Its token is no longer in force."""
    for found in (generation(OURS, ENDED, start=6), generation(OTHER, start=8)):
        assert walk(Stop(RUN), [refused(OURS), TAIL, found])[-1] == PROBE


def test_an_end_with_an_unknown_outcome_is_settled() -> None:
    """If it landed, its token is in force, and the run was stopped by this very stop."""
    machine = Stop(RUN)
    ending = walk(machine, [refused(OURS), TAIL, generation(OURS, start=6)])[-1]
    told = walk(machine, [UNKNOWN, None, refused(ending.records[-1].body.decode())])
    assert told == [ending, Wait(0.1), PROBE, Stopped()]


def test_twelve_attempts_are_made() -> None:
    """The thirteenth refusal, or unknown outcome, is the last: the log cannot be reached, or is too busy."""
    missed: list[Any] = [TAIL, generation(OURS, start=6), SeqNumMismatch(11)]
    machine = Stop(RUN)
    walk(machine, [refused(OURS), *missed * 11, TAIL, generation(OURS, start=6)])
    with pytest.raises(LogUnavailable, match="faster than it can be stopped"):
        machine.feed(SeqNumMismatch(11))
    machine = Stop(RUN)
    walk(machine, [UNKNOWN, None] * 12)
    with pytest.raises(AppendOutcomeUnknown):
        machine.feed(UNKNOWN)


def test_a_log_that_takes_the_probe_is_broken() -> None:
    """An append under a token that is not in force must be refused."""
    with pytest.raises(LogUnavailable, match="not in force"):
        Stop().feed(LANDED)
