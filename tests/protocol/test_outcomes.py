"""An ending and the terminal chunk that says it are two forms of one thing."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.outcomes import Ending, Outcome, ending_of, usage_of


@pytest.mark.parametrize(
    ("ending", "terminal"),
    [
        (Ending(Outcome.FINISHED), {"type": "RUN_FINISHED", "finishReason": "stop"}),
        (Ending(Outcome.FINISHED, finish_reason="length"), {"type": "RUN_FINISHED", "finishReason": "length"}),
        (Ending(Outcome.FINISHED, finish_reason="tool_calls"), {"type": "RUN_FINISHED", "finishReason": "stop"}),
        (Ending(Outcome.STOPPED), {"type": "RUN_FINISHED", "finishReason": "stop"}),
        (Ending(Outcome.FAILED, error="No."), {"type": "RUN_ERROR", "message": "No.", "error": {"message": "No."}}),
        (
            Ending(Outcome.FAILED),
            {"type": "RUN_ERROR", "message": "An error occurred.", "error": {"message": "An error occurred."}},
        ),
        (
            Ending(Outcome.LOST, error="Gone."),
            {"type": "RUN_ERROR", "message": "Gone.", "error": {"message": "Gone."}, "code": "writer_lost"},
        ),
        (
            Ending(Outcome.DEADLINE, error="Late."),
            {"type": "RUN_ERROR", "message": "Late.", "error": {"message": "Late."}, "code": "deadline"},
        ),
        (
            Ending(Outcome.FAILED, error="Off.", code="shutdown"),
            {"type": "RUN_ERROR", "message": "Off.", "error": {"message": "Off."}, "code": "shutdown"},
        ),
    ],
    ids=lambda value: value.outcome if isinstance(value, Ending) else None,
)
def test_each_ending_has_a_terminal_that_settles_clients(ending: Ending, terminal: dict[str, Any]) -> None:
    """Failures are RUN_ERRORs with their code and both places of the text; all else is a RUN_FINISHED."""
    assert ending.terminal("r") == {**terminal, "runId": "r"}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.STOPPED])
def test_a_terminal_of_ours_is_read_back_as_what_it_was(outcome: Outcome) -> None:
    """All but a stop, which is told by the message's metadata alone."""
    failed = Ending(outcome).failed
    ending = Ending(outcome, error="why" if failed else None, finish_reason=None if failed else "length")
    read = ending_of(ending.terminal("r"))
    assert (read.outcome, read.error, read.finish_reason) == (ending.outcome, ending.error, ending.finish_reason)


@pytest.mark.parametrize(
    ("terminal", "ending"),
    [
        ({"type": "RUN_FINISHED"}, Ending(Outcome.FINISHED)),
        ({"type": "RUN_FINISHED", "finishReason": None}, Ending(Outcome.FINISHED)),
        ({"type": "RUN_FINISHED", "finishReason": ["x"]}, Ending(Outcome.FINISHED)),
        (
            {"type": "RUN_FINISHED", "metadata": {"tanstack": {"finishReason": "length"}}},
            Ending(Outcome.FINISHED, finish_reason="length"),
        ),
        ({"type": "RUN_FINISHED", "metadata": {"tanstack": 5}}, Ending(Outcome.FINISHED)),
        ({"type": "RUN_ERROR"}, Ending(Outcome.FAILED, error="An error occurred.")),
        ({"type": "RUN_ERROR", "error": {"message": "here"}}, Ending(Outcome.FAILED, error="here")),
        ({"type": "RUN_ERROR", "message": {}, "error": "x"}, Ending(Outcome.FAILED, error="An error occurred.")),
        ({"type": "RUN_ERROR", "message": "m", "code": 429}, Ending(Outcome.FAILED, error="m")),
    ],
)
def test_any_terminal_can_be_read(terminal: dict[str, Any], ending: Ending) -> None:
    """Whoever wrote it, and whatever it holds in the wrong places."""
    assert ending_of(terminal) == ending


def test_usage_is_found_where_tanstack_puts_it() -> None:
    """At the top level, or in `metadata.tanstack`."""
    assert usage_of({"type": "RUN_FINISHED", "usage": {"totalTokens": 3}}) == {"totalTokens": 3}
    assert usage_of({"type": "RUN_FINISHED", "metadata": {"tanstack": {"usage": {"a": 1}}}}) == {"a": 1}
    assert usage_of({"type": "RUN_FINISHED", "usage": "much"}) is None
