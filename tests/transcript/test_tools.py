"""Tool calls collect arguments and input, and results become their output."""

from __future__ import annotations

from typing import Any

import pytest

from .canonical import fold
from .chunks import args, call, call_end, result, run_finished, start, text


def test_arguments_become_the_input_once_they_are_whole() -> None:
    """Not before the end, and not if they are no JSON."""
    before = fold([call(), args('{"a":'), args("[1e999]")])[0]["parts"][0]
    assert before == {
        "type": "tool-call", "id": "c", "name": "f", "arguments": '{"a":[1e999]', "state": "input-streaming"
    }  # fmt: skip
    assert "input" not in fold([call(), args("{"), call_end()])[0]["parts"][0]
    assert fold([call(), args('{"a":[1e999]}'), call_end()])[0]["parts"][0]["input"] == {"a": [None]}


def test_input_without_arguments_is_written_as_javascript_writes_it() -> None:
    """Integer-like keys first, whole numbers without a point, small numbers as 1e-7."""
    part = fold([call(), call_end(input={"a": 5.0, "b": 1e-7, "2": 1})])[0]["parts"][0]
    assert part["arguments"] == '{"2":1,"a":5,"b":1e-7}'
    packed = fold([call(), call_end(metadata={"tanstack": {"input": [1]}})])[0]["parts"][0]
    assert (packed["arguments"], packed["input"], packed["state"]) == ("[1]", [1.0], "input-complete")


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("plain", "plain"),
        ('{"a":1}', {"a": 1.0}),
        ("[1e999,18446744073709551616]", [None, 2.0**64]),
        ("[" * 520, "[" * 520),
        ("[" * 300 + "]" * 300, "[" * 300 + "]" * 300),
        ("NaN", "NaN"),
        ([{"type": "text"}], [{"type": "text"}]),
        (None, None),
    ],
)
def test_a_result_is_parsed_as_javascript_parses_it(content: Any, output: Any) -> None:
    """What is not JSON, or is nested too deep to be sent on, stays as it came."""
    parts = fold([call(), result(content)])[0]["parts"]
    assert parts[0]["output"] == output and parts[0]["state"] == "complete"
    assert parts[1] == {"type": "tool-result", "toolCallId": "c", "content": content, "state": "complete"}


def test_a_failed_result_has_the_text_of_its_error() -> None:
    """An empty text is left out."""
    for content, error in (('{"error":"E"}', "E"), ("plain", "plain"), ("5", "Tool execution failed"), ("", None)):
        parts = fold([call(), result(content, state="output-error")])[0]["parts"]
        assert (parts[0]["state"], parts[1]["state"], parts[1].get("error")) == ("error", "error", error)


def test_a_result_comes_to_every_call_with_its_id() -> None:
    """The result itself is put where the call streams; without one, into the first message that made the call."""
    calls = [start("a"), call(), start("b"), call(parentMessageId="b")]
    owned = fold([*calls, result("1")])
    assert [message["parts"][0]["output"] for message in owned] == [1.0, 1.0]
    assert [len(message["parts"]) for message in owned] == [1, 2]
    later = fold({"chunks": [*calls, result("1")], "perTurnReset": [4]})
    assert [len(message["parts"]) for message in later] == [2, 1]


def test_a_call_that_waits_for_the_user_is_not_completed() -> None:
    """The end of its run leaves it in the user's hands."""
    asked = {"type": "CUSTOM", "name": "approval-requested", "value": {"toolCallId": "c", "approval": {"id": "p"}}}
    part = fold([call(), args("{}"), asked, run_finished()])[0]["parts"][0]
    assert part["state"] == "approval-requested" and part["approval"] == {"id": "p", "needsApproval": True}


def test_calls_that_do_not_stream_are_left_alone() -> None:
    """Arguments, ends and results of unknown calls change nothing."""
    assert fold([start(), text("x"), args("{}"), call_end(), result("1")]) == fold([start(), text("x")])
