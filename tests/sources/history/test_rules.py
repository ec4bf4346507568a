"""The rules that hold for the history in every form, each on the turns that all forms are made from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.sources.history import to_ag_ui, to_openai
from resumable_chat.sources.history.rounds import CallState, Round, User, read_turns


def call(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool-call", "id": call_id, "name": "f", "arguments": "{}", **more}


def result(call_id: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool-result", "toolCallId": call_id, "content": content, **more}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def assistant(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"id": "a", "role": "assistant", "parts": list(parts), **more}


def rounds(*messages: Any) -> list[Round]:
    return [turn for turn in read_turns(messages) if isinstance(turn, Round)]


def results(*messages: Any) -> list[list[str]]:
    """The results of each round."""
    return [[call.result_text() for call in turn.calls] for turn in rounds(*messages)]


def test_results_belong_to_the_message_that_made_the_call() -> None:
    """Ids such as ``call_0`` come again in later answers."""
    first = assistant(call("call_0"), result("call_0", "one"))
    second = assistant(call("call_0"), result("call_0", "two"))
    assert results(first, second) == [["one"], ["two"]]
    rows = [
        {"role": "assistant", "toolCalls": [{"id": "call_0", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "toolCallId": "call_0", "content": "one"},
        {"role": "assistant", "toolCalls": [{"id": "call_0", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "toolCallId": "call_0", "content": "two"},
    ]
    assert results(*rows) == [["one"], ["two"]]
    assert results(first, assistant(call("call_0"))) == [["one"], [json.dumps({"error": INTERRUPTED})]]


INTERRUPTED = "The call was interrupted before it had a result."


@pytest.mark.parametrize(
    ("parts", "rounds"),
    [
        ([call("x"), result("x", "1"), call("y"), result("y", "2")], [["1"], ["2"]]),
        ([call("x"), call("y"), result("x", "1"), result("y", "2")], [["1", "2"]]),
        ([call("x"), call("y"), result("y", "2"), result("x", "1")], [["1", "2"]]),
        ([call("x", output="1"), call("y", output="2")], [["1", "2"]]),
        ([call("x", output="1"), text("so"), call("y", output="2")], [["1"], ["2"]]),
        ([call("x", output="1"), {"type": "thinking", "content": "hm"}, call("y", output="2")], [["1"], ["2"]]),
        ([call("x"), result("x", "1"), text("done")], [["1"], []]),
        (
            [text("a"), call("x"), result("x", "1"), text(""), call("y"), call("z"), result("y", "2")],
            [["1"], ["2", json.dumps({"error": INTERRUPTED})]],
        ),
    ],
)
def test_sequential_rounds_stay_apart(parts: list[Any], rounds: Any) -> None:
    """A call behind a result, or behind text or a thought after calls, is of the next round."""
    assert results(assistant(*parts)) == rounds


@pytest.mark.parametrize(
    ("part", "state", "says"),
    [
        (call("x"), CallState.INTERRUPTED, "interrupted"),
        (
            call("x", state="approval-requested", approval={"id": "i", "needsApproval": True}),
            CallState.INTERRUPTED,
            "interrupted",
        ),
        (call("x", approval={"id": "i", "approved": False}), CallState.DENIED, "denied"),
        (call("x", approval={"id": "i", "approved": False, "reason": "too dear"}), CallState.DENIED, "too dear"),
        (call("x", approval={"id": "i", "approved": True}), CallState.APPROVED, "approved"),
        (call("x", approval={"id": "i", "approved": True}, output="done"), CallState.DONE, "done"),
        (call("x", output=None), CallState.DONE, "null"),
    ],
)
def test_a_call_without_a_result_says_why(part: Any, state: CallState, says: str) -> None:
    """The model is told which calls were interrupted, denied, or approved and not run."""
    [turn] = rounds(assistant(part))
    assert turn.calls[0].state is state and says in turn.calls[0].result_text()


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "structured-output", "status": "complete", "raw": '{"a":1}', "data": {"a": 1}}, '{"a":1}'),
        ({"type": "structured-output", "status": "streaming", "raw": '{"a":'}, '{"a":'),
        ({"type": "structured-output", "status": "complete", "raw": "", "data": {"a": 1}}, '{"a": 1}'),
    ],
)
def test_a_structured_answer_is_its_raw_text(part: Any, said: str) -> None:
    """As the model wrote it."""
    assert [turn.text for turn in rounds(assistant(part))] == [said]


@pytest.mark.parametrize(
    "message",
    [
        assistant(),
        assistant(text("")),
        assistant(text(" \n")),
        assistant({"type": "thinking", "content": "hm"}),
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": ""},
        {"role": "assistant"},
        {"role": "user", "parts": []},
        {"role": "user", "content": ""},
        {"role": "tool", "toolCallId": "gone", "content": "1"},
        {"role": "tool", "toolCallId": [], "content": "1"},
        {"role": "activity", "content": "x"},
        {"role": ["user"]},
        {},
    ],
)
def test_empty_messages_are_left_out(message: Any) -> None:
    """Servers refuse them; so are results without a call, and roles that no model knows."""
    assert read_turns([message]) == []


def test_lone_surrogates_are_replaced_everywhere() -> None:
    """UTF-8 cannot carry them; two halves that meet are one character."""
    half = "x\ud83d"
    messages = [
        {"id": half, "role": "system", "content": half},
        {"id": "u", "role": "user", "parts": [text(half), {"type": "image", "source": {"type": "url", "value": half}}]},
        assistant(
            text("\ud83d"), text("\ude00"), call(half, name=half, arguments=json.dumps({"a": half})), result(half, half)
        ),
        assistant(call("y", output={half: half}), call("z", input={"a": half}, arguments=None)),
        {"role": "user", "content": half},
    ]
    for convert in (to_openai, to_ag_ui):
        json.dumps(convert(messages), ensure_ascii=False).encode()
    assert "\ufffd" in to_openai(messages)[0]["content"]


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ('{"a":1}', '{"a":1}'),
        ('{"a":', "{}"),
        ("", "{}"),
        (None, "{}"),
        ({"a": 1}, '{"a": 1}'),
        ('{"a":NaN}', "{}"),
        ("[" * 100_000, "{}"),
        ({"a": float("nan")}, '{"a": null}'),
        ({"a": float("inf")}, '{"a": null}'),
    ],
)
def test_arguments_are_whole_json(arguments: Any, whole: str) -> None:
    """A stop leaves half of them, which servers refuse."""
    assert rounds(assistant(call("x", arguments=arguments)))[0].calls[0].arguments == whole


def test_results_in_other_forms_are_told_as_text() -> None:
    """Objects as JSON, lists of parts as their text, errors as their message."""
    parts = [{"type": "text", "content": "a"}, {"type": "image", "source": {"type": "url", "value": "https://x/y.png"}}]
    told = results(
        assistant(call("1", output={"a": 1}), call("2"), result("2", parts), call("3", output=[1, 2])),
        assistant(
            call("4"), result("4", "", state="error", error="boom"), call("5", output={"error": "E"}, state="error")
        ),
    )
    assert told == [['{"a": 1}', told[0][1]], ["[1, 2]"], ["boom"], ['{"error": "E"}']]
    assert told[0][1] == "a[image (image/png) at https://x/y.png: this model cannot read it]"


def test_a_result_in_a_message_of_its_own_finds_its_call() -> None:
    """A snapshot may leave it so, also behind a user's message."""
    assert results(assistant(call("x")), {"role": "user", "content": "well?"}, assistant(result("x", "1"))) == [["1"]]


json_values = st.sampled_from(
    [
        None,
        True,
        0,
        2**70,
        1.5,
        float("nan"),
        "",
        "x",
        '{"a":1}',
        "\ud83d",
        [],
        {},
        [[]],
        {"a": "\ud800"},
        [{"type": "text"}],
    ]
)
kinds = st.sampled_from(["text", "tool-call", "tool-result", "thinking", "image", "document", "structured-output", "x"])
parts = st.fixed_dictionaries(
    {"type": kinds | json_values},
    optional={
        "content": json_values, "id": json_values, "toolCallId": json_values,
        "name": json_values, "arguments": json_values, "input": json_values, "output": json_values,
        "approval": json_values | st.fixed_dictionaries({"approved": json_values}), "state": json_values,
        "source": json_values | st.fixed_dictionaries({"type": st.sampled_from(["data", "url"]), "value": json_values}),
        "raw": json_values, "data": json_values, "error": json_values, "signature": json_values,
    },
)  # fmt: skip
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"]) | json_values},
        optional={"id": json_values, "parts": st.lists(parts) | json_values, "content": json_values,
                  "toolCalls": json_values, "toolCallId": json_values, "error": json_values},
    )
)  # fmt: skip


@given(messages)
def test_nothing_in_a_message_raises(messages: list[Any]) -> None:
    """Whatever a log may hold; what comes out is JSON in UTF-8, each call with its one result behind it."""
    for convert in (to_openai, to_ag_ui):
        json.dumps(convert(messages), ensure_ascii=False).encode()
    rows = to_openai(messages)
    for at, row in enumerate(rows):
        calls = [call["id"] for call in row.get("tool_calls", ())]
        assert [row["tool_call_id"] for row in rows[at + 1 : at + 1 + len(calls)]] == calls
        assert row["role"] != "user" or row["content"]


def test_a_user_is_read_from_parts_or_content() -> None:
    """UIMessages and AG-UI rows alike."""
    for message in ({"role": "user", "parts": [text("a")]}, {"role": "user", "content": "a"},
                    {"role": "user", "content": [{"type": "text", "text": "a"}]}):  # fmt: skip
        [turn] = read_turns([message])
        assert isinstance(turn, User) and len(turn.parts) == 1
