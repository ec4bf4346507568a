"""What is read back of a generation: its runs, its question, its stops, and what is open."""

from __future__ import annotations

from resumable_chat.protocol import tokens
from resumable_chat.protocol.generation import opening_fence
from resumable_chat.protocol.marks import stop_mark
from resumable_chat.protocol.turns import Turn

from ..chats import user
from .logs import generation, log

OURS, ENDED = tokens.opening("k" * 12), tokens.terminal("k" * 12)


def test_a_running_generation_is_read_whole() -> None:
    """Both its run ids, the turn, the stops of other runs, and the time of its last record."""
    turn = Turn(user("u"), None, None, "asked")
    started = {"type": "RUN_STARTED", "runId": "ran"}
    found = generation(OURS, turn.chunk(), started, stop_mark("other"), {"type": "x"}, None, start=7)
    assert (found.token, found.start, found.last_at, found.closed) == (OURS, 7, 12_000, False)
    assert (found.run_ids, found.stops, found.turn) == ({"asked", "ran"}, {"other"}, turn)
    assert found.parts.runs == {"ran": None}


def test_what_follows_the_terminal_fence_is_not_part_of_it() -> None:
    """Stops that were left behind it, and records out of place."""
    found = generation(OURS, ENDED, tokens.stopped_early("k" * 12), stop_mark("other"))
    assert (found.token, found.closed, found.stops) == (OURS, True, frozenset())


def test_results_in_place_of_a_turn_are_kept() -> None:
    """Those before the run alone: later ones are its own."""
    result = {"type": "TOOL_CALL_RESULT", "toolCallId": "c"}
    assert generation(OURS, result, {"type": "RUN_STARTED"}, {**result, "toolCallId": "d"}).results == (result,)


def test_records_without_a_fence_are_a_generation_without_a_token() -> None:
    """Their head was trimmed. So is a stream without records."""
    assert (generation({"type": "x"}, start=3).token, generation({"type": "x"}, start=3).start) == ("", 3)
    assert (generation(start=9).start, generation().last_at) == (9, 0)


def test_the_newest_opening_fence_is_found() -> None:
    """Behind it may stand terminal ones."""
    assert opening_fence(log(OURS, ENDED, "theirs", None, ENDED)) == 2
    assert opening_fence(log({"type": "x"}, ENDED)) is None
