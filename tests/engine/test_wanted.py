"""Which generation a reader asks for."""

from __future__ import annotations

from resumable_chat.engine.wanted import Wanted

from ..logs import OURS, answer, message, turn, view_of

FIRST = [OURS, *turn(message("u1"), run_id="r1"), *answer("a1", "r1", "One"), "end-1"]
SECOND = [OURS, *turn(message("u2"), run_id="r2"), *answer("a2", "r2", "Two"), "end-2"]


def found(after: int, *items: object) -> int | None:
    """Where the generation opened that a cursor lies in."""
    view = view_of(*items)  # type: ignore[arg-type]
    newest, wanted = view.generation, Wanted(after=after)
    assert newest is not None
    return newest.start if wanted.is_met_by(newest, after, 0) else wanted.is_met_before(view)


def test_a_cursor_finds_the_generation_of_the_record_before_it() -> None:
    """From behind its opening fence to behind its terminal fence, whether it is the newest or an earlier one."""
    end = len(FIRST)
    assert [found(after, *FIRST) for after in (0, 1, end)] == [None, 0, 0]
    assert [found(after, *FIRST, *SECOND) for after in (0, 1, end, end + 1)] == [None, 0, 0, end]


def test_a_cursor_beyond_the_log_belongs_to_the_newest() -> None:
    """Another process may have read further."""
    assert found(99, *FIRST) == 0
