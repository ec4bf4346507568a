"""Custom events that StreamProcessor knows change messages; all others change none."""

from __future__ import annotations

from .canonical import fold
from .chunks import call, custom, run_finished, start, text

RESOURCE = {"uri": "u", "mimeType": "m"}


def test_a_resource_goes_to_the_message_that_called_the_tool() -> None:
    """Or else to the one that streams; without any, it is dropped."""
    shown = custom("ui-resource", {"toolCallId": "c", "toolName": "f", "resource": RESOURCE, "more": 1})
    part = {"type": "ui-resource", "toolCallId": "c", "toolName": "f", "resource": RESOURCE}
    assert fold([start("a"), call(), start("b"), shown])[0]["parts"][1] == part
    assert fold([start("a"), shown])[0]["parts"] == [part]
    assert fold([shown]) == []


def test_an_approval_is_asked_for_where_the_answer_streams() -> None:
    """Without a value that says which, the chunk cannot be folded; without an answer, it changes nothing."""
    asked = custom("approval-requested", {"toolCallId": "c", "approval": {"id": "p"}})
    assert fold([call(), asked])[0]["parts"][0]["approval"] == {"id": "p", "needsApproval": True}
    assert fold([call(), custom("approval-requested", {"toolCallId": "c"})]) == {"error": True}
    assert fold([custom("approval-requested", {"toolCallId": "c"})]) == []


def test_structured_output_finds_its_message() -> None:
    """By its name, or else where the answer streams."""
    for value in ({"messageId": "a"}, {"other": 1}, [1]):
        parts = fold([start(), custom("structured-output.start", value), text("1")])[0]["parts"]
        assert parts[0]["type"] == "structured-output"


def test_other_events_change_nothing() -> None:
    """Nor do known ones without a value."""
    shown = fold([start(), text("x"), run_finished()])
    for event in (custom("new", {"messageId": []}), custom("structured-output.start", 0), custom([], {})):  # type: ignore[arg-type]
        assert fold([start(), text("x"), event, run_finished()]) == shown
