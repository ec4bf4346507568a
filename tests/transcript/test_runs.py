"""The end of the last open run settles the messages."""

from __future__ import annotations

import pytest

from .canonical import fold
from .chunks import args, call, custom, run_finished, run_started, start, text


def test_calls_are_completed_when_no_run_is_open() -> None:
    """Not while another run goes on; an interrupt settles as well as an end."""
    begun = [run_started("r"), run_started("s"), call(), args("{}"), run_finished("r")]
    assert fold(begun)[0]["parts"][0]["state"] == "input-streaming"
    for last in ({}, {"finishReason": "tool_calls"}, {"outcome": {"type": "interrupt", "interrupts": []}}):
        assert fold([*begun, run_finished("s", **last)])[0]["parts"][0]["state"] == "input-complete"


def test_an_answer_of_blanks_is_dropped() -> None:
    """Not one without parts, not after an error, and not while the model waits for its tools."""
    blank = [start(), text(" \n\u3000")]
    assert fold([*blank, run_finished()]) == []
    assert fold([*blank, run_finished(finishReason="tool_calls")]) != []
    assert fold([start(), run_finished()]) != []
    assert fold([*blank, {"type": "RUN_ERROR", "message": "no"}, run_finished()]) != []


def test_an_error_has_an_assistant_message() -> None:
    """One is made if there is none; the next start names it."""
    error = {"type": "RUN_ERROR", "message": "no"}
    assert fold([error]) == [{"id": "gen-1", "role": "assistant", "parts": []}]
    assert fold([error, start("a")]) == [{"id": "a", "role": "assistant", "parts": []}]
    assert fold([start("a"), error]) == [{"id": "a", "role": "assistant", "parts": []}]


def test_an_error_ends_the_run_it_names() -> None:
    """Its id may be in the metadata; without one, all runs end."""
    begun = [run_started("r"), run_started("s"), call(), args("{}")]
    for error, state in (
        ({"runId": "r"}, "input-streaming"),
        ({"metadata": {"tanstack": {"runId": "r"}}}, "input-streaming"),
        ({}, "input-complete"),
    ):
        chunks = [*begun, {"type": "RUN_ERROR", "message": "no", **error}, run_finished("unknown")]
        assert fold(chunks)[0]["parts"][0]["state"] == state


@pytest.mark.parametrize("interrupt", [{"metadata": {"kind": "approval"}}, {"reason": "approval_required"}])
def test_an_interrupt_asks_for_approval(interrupt: dict[str, object]) -> None:
    """Of the call it names, also when that call no longer streams."""
    outcome = {"type": "interrupt", "interrupts": [{"id": "i", "toolCallId": "c", **interrupt}]}
    for resets in ([], [1]):
        case = {"chunks": [call(), run_finished(outcome=outcome)], "perTurnReset": resets}
        part = fold(case)[0]["parts"][0]
        assert part["state"] == "approval-requested" and part["approval"] == {"id": "i", "needsApproval": True}


def test_unfinished_structured_output_fails_with_its_run() -> None:
    """With the run's error, or because the stream ended."""
    begun = [start(), custom("structured-output.start", {"messageId": "a"}), text('{"a"')]
    part = fold([*begun, run_finished()])[0]["parts"][0]
    assert (part["status"], part["errorMessage"]) == ("error", "Stream ended without structured-output.complete")
    for message, shown in (("no", "no"), ("", "An error occurred")):
        part = fold([*begun, {"type": "RUN_ERROR", "message": message}, text("x")])[0]["parts"][0]
        assert (part["status"], part["errorMessage"], part["raw"]) == ("error", shown, '{"a"')
