"""The steps' own arithmetic: the apparent age of a record, and the pauses between attempts."""

from __future__ import annotations

import pytest

from resumable_chat.protocol.steps import TailAt, Wait, pause


@pytest.mark.parametrize(("now", "silence"), [(5_000, 4_000), (1_000, 0), (999, -1)])
def test_two_clocks_give_an_apparent_age(now: int, silence: int) -> None:
    """It may be negative."""
    assert TailAt(1, 1_000, now).silence_ms == silence


def test_pauses_double_up_to_eight_tenths_of_a_second() -> None:
    """From 50 ms on."""
    assert [pause(attempt) for attempt in range(7)] == [Wait(s) for s in (0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8)]
