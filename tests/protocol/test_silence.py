"""When a silent writer counts as lost, and a failing log as gone: tables, no clock."""

from __future__ import annotations

import pytest

from resumable_chat.protocol.silence import Outage, Silence, Watch

LEASE = 15.0


def listening(at: float = 0.0) -> Silence:
    silence = Silence(LEASE)
    silence.heard(at)
    return silence


@pytest.mark.parametrize(
    ("now", "pause"), [(0, 1.0), (13.9, 1.0), (14.5, 0.5), (14.99, 0.05), (15.0, 0.0), (99.0, 0.0)]
)
def test_the_lease_runs_from_the_last_record(now: float, pause: float) -> None:
    """It is looked at every second, and at its end."""
    assert listening().due(now) == pytest.approx(pause)


def test_a_record_begins_the_lease_again() -> None:
    """A heartbeat is one."""
    silence = listening()
    silence.heard(14.9)
    assert silence.due(29.8) > 0 and silence.due(30.0) == 0


def test_nothing_is_due_while_the_log_is_out_of_reach() -> None:
    """Silence says nothing about the writer then, and the lease begins again when the log is back."""
    silence = Silence(LEASE)
    assert silence.watch is Watch.BLIND and silence.due(1000) > 0
    silence.heard(1000)
    silence.lost_touch()
    silence.slept(1001, 5000)
    assert silence.watch is Watch.BLIND and silence.due(5000) > 0
    silence.heard(5000)
    assert silence.due(5014.9) > 0 and silence.due(5015) == 0


@pytest.mark.parametrize(("woke", "due_at"), [(11.9, 15.0), (12.0, 15.0), (12.1, 27.1), (40.0, 55.0)])
def test_a_freeze_of_this_process_begins_the_lease_again(woke: float, due_at: float) -> None:
    """A sleep that took over a second longer than planned was one; perhaps the writer stood still as well."""
    silence = listening()
    silence.slept(11.0, woke)
    assert silence.due(due_at - 0.01) > 0 and silence.due(due_at) == 0


@pytest.mark.parametrize(("took", "prompt"), [(0.1, True), (1.0, True), (1.1, False)])
def test_a_log_that_is_slow_to_answer_begins_the_lease_again(took: float, prompt: bool) -> None:
    """It may have been the log that was silent."""
    silence = listening()
    assert silence.answered(20.0, 20.0 + took) is prompt
    assert (silence.due(20.0 + took) == 0) is prompt


def test_an_outage_is_given_up_after_its_time() -> None:
    """Counted from the first failure after the log worked."""
    outage = Outage(30.0)
    assert outage.failed(100.0) is not None
    assert outage.failed(130.0) is not None
    assert outage.failed(130.1) is None


def test_two_short_outages_are_not_a_long_one() -> None:
    """They are 40 s apart, and the log worked in between."""
    outage = Outage(30.0)
    assert outage.failed(100.0) is not None
    outage.worked()
    assert outage.failed(140.0) is not None
    assert outage.failed(169.0) is not None


def test_attempts_slow_down_and_begin_again_after_a_calm() -> None:
    """A log whose followers fail at once is not asked twenty times a second."""
    outage = Outage(30.0)
    pauses, now = [], 0.0
    for _ in range(8):
        pause = outage.failed(now)
        assert pause is not None
        outage.worked()
        pauses.append(pause)
        now += pause
    assert pauses == [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert outage.failed(now + 5.0) == 0.05
