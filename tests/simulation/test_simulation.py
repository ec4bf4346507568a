"""The invariants of docs/protocol.md on simulated histories: many seeds, and proof that the checks can fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .world import simulate

SEEDS = 300


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_the_invariants_hold_on_every_history(first: int) -> None:
    """Whatever is killed, frozen, delayed, lost or repeated, nothing that is promised breaks."""
    for seed in range(first, first + 50):
        history = simulate(seed)
        assert not history.violations, f"python -m tests.simulation --seed {seed}"


def test_every_kind_of_trouble_is_met() -> None:
    """The seeds that are run meet all that the simulation can do to a chat."""
    met = sum((simulate(seed).counts for seed in range(60)), start=simulate(0).counts)
    assert met.keys() >= {
        *("send 202", "send 409", "send 503", "stop 202", "stop 204", "stop 503"),
        *("killed", "frozen", "cut off", "dropped", "clock jumped"),
        *("asks", "regenerates", "edits", "deletes", "corrects", "prefaces"),
    }


def test_the_same_seed_is_the_same_history() -> None:
    """A seed tells the same story in this process, again, and in another process with other hashes."""
    history = simulate(7)
    assert len(history.lines) > 50
    assert simulate(7).lines == history.lines
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", "7"],
        env={"PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.splitlines() == history.lines


@pytest.mark.parametrize("flaw", ["fence", "number"])
def test_a_log_that_breaks_its_rules_is_found_out(flaw: str) -> None:
    """Without the log's checks of tokens, or of sequence numbers, the invariants break: they do depend on them."""
    assert any(simulate(seed, flaw=flaw).violations for seed in range(60))
