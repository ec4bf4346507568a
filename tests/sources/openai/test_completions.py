"""Completions chunks become AG-UI chunks, however a server writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.sources.answer import Answer
from resumable_chat.sources.errors import SourceError
from resumable_chat.sources.openai.completions import Completion
from resumable_chat.sources.sse import Event

from ..answers import check_pairs, text, thinking, tool_calls


def read(*payloads: Any, finish: str | None = "stop") -> list[dict[str, Any]]:
    """The chunks of an answer; ``payloads`` are whole events, or with ``delta()`` their deltas."""
    answer = Answer(run_id="r", thread_id="t", message_id="m")
    completion = Completion(answer)
    chunks = answer.begin()
    ends = [] if finish is None else [{"choices": [{"delta": {}, "finish_reason": finish}]}]
    for payload in [*payloads, *ends]:
        data = payload if isinstance(payload, str) else json.dumps(payload)
        chunks += completion.feed(Event("message", data.encode()))
    assert completion.whole
    chunks += completion.finish()
    check_pairs(chunks)
    return chunks


def delta(**values: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": values, "finish_reason": None}]}


def call(arguments: Any = None, *, name: Any = None, **values: Any) -> dict[str, Any]:
    """A delta with one fragment of a call."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return delta(tool_calls=[{**values, "function": function}])


ONE = ["f", '{"a":1}']
TWO = [["f", '{"a":1}'], ["g", '{"b":2}']]
SAME = [["f", '{"a":1}'], ["f", '{"a":2}']]


@pytest.mark.parametrize(
    ("payloads", "calls"),
    [
        # known by the index
        ([call('{"a"', name="f", index=0, id="x"), call(":1}", index=0)], [ONE]),
        (
            [
                call("", name="f", index=0, id="x"),
                call("", name="g", index=1, id="y"),
                call('{"b"', index=1),
                call('{"a":1}', index=0),
                call(":2}", index=1),
            ],
            TWO,
        ),
        ([call('{"a":1}', name="f", index="0", id="x"), call('{"b":2}', name="g", index="1", id="y")], TWO),
        ([call('{"a"', name="f", index=5), call(":1}", index=5)], [ONE]),
        # known by the id: indexes that are missing, reused, or wrong
        ([call('{"a":1}', name="f", id="x", index=0), call('{"b":2}', name="g", id="y", index=0)], TWO),
        (
            [
                call('{"a"', name="f", id="x", index=0),
                call('{"b"', name="g", id="y", index=0),
                call(":1}", id="x", index=0),
                call(":2}", id="y", index=0),
            ],
            TWO,
        ),
        (
            [call('{"a"', name="f", id="x"), call('{"b"', name="g", id="y"), call(":1}", id="x"), call(":2}", id="y")],
            TWO,
        ),
        ([call('{"a"', name="f", id="x", index=0), call(":1}", id="x", index=1)], [ONE]),
        ([call('{"a"', name="f", id="x", index=None), call(":1}", id="", index=None)], [ONE]),
        # an id made up for each fragment
        ([call('{"a"', name="f", id="x", index=0), call(":1}", id="y", index=0)], [ONE]),
        # known by being the last
        ([call('{"a"', name="f"), call(":1}"), call('{"b"', name="g"), call(":2}")], TWO),
        ([call('{"a":1}', name="f"), call('{"a":2}', name="f")], SAME),
        ([call('{"a":1}', name="f", index=0), call('{"a":2}', name="f", index=0)], SAME),
        ([call('{"a":1}', name="f", index=0), call('{"b":2}', name="g", index=0)], TWO),
        ([call('{"a"', name="f", id=None), call(":1}", name="f")], [ONE]),
        # several in one list
        (
            [
                delta(
                    tool_calls=[
                        {"function": {"name": "f", "arguments": '{"a":1}'}},
                        {"function": {"name": "g", "arguments": '{"b":2}'}},
                    ]
                )
            ],
            TWO,
        ),
        (
            [
                delta(
                    tool_calls=[
                        {"function": {"name": "f", "arguments": '{"a"'}},
                        {"function": {"name": "g", "arguments": '{"b"'}},
                    ]
                ),
                delta(tool_calls=[{"function": {"arguments": ":1}"}}, {"function": {"arguments": ":2}"}}]),
            ],
            TWO,
        ),
        ([delta(tool_calls={"id": "x", "function": {"name": "f", "arguments": '{"a":1}'}})], [ONE]),
        ([delta(tool_calls=[None, 5, "x", {"id": "x", "function": {"name": "f", "arguments": '{"a":1}'}}])], [ONE]),
        # arguments that are no text
        ([call({"a": 1}, name="f", id="x", index=0)], [ONE]),
        ([call("", name="f", id="x", index=0), call({"a": 1}, id="x", index=0)], [ONE]),
        ([call({}, name="f", id="x")], [["f", "{}"]]),
        ([call([1, 2], name="f", id="x")], [["f", "[1,2]"]]),
        ([call(None, name="f", id="x")], [["f", ""]]),
        ([delta(tool_calls=[{"id": "x", "name": "f", "arguments": {"a": 1}}])], [ONE]),
        # a name that comes late, again, or in pieces
        ([call("", id="x", index=0), call("", name="f", index=0), call('{"a":1}', index=0)], [ONE]),
        ([call('{"a"', id="x", index=0), call(":1}", index=0), call("", name="f", index=0)], [ONE]),
        ([call('{"a"', id="x", index=0), call(":1}", name="f", index=0)], [ONE]),
        (
            [call("", name="get_", id="x", index=0), call("", name="time", index=0), call("{}", index=0)],
            [["get_time", "{}"]],
        ),
        (
            [call("", name="get_", id="x", index=0), call("", name="get_time", index=0), call("{}", index=0)],
            [["get_time", "{}"]],
        ),
        ([call('{"a"', name="f", id="x", index=0), call(":1}", name="f", id="x", index=0)], [ONE]),
        ([call('{"a":1}', name=None, id="x", index=0)], [["unknown", '{"a":1}']]),
        # the old form
        ([delta(function_call={"name": "f", "arguments": ""}), delta(function_call={"arguments": '{"a":1}'})], [ONE]),
        ([delta(function_call={"name": "f", "arguments": {"a": 1}})], [ONE]),
        ([delta(function_call={"name": "f"})], [["f", ""]]),
    ],
)
def test_a_call_is_known_by_its_id_then_its_index_then_by_being_the_last(payloads: list[Any], calls: Any) -> None:
    """Fragments come together as the calls that the model made."""
    chunks = read(*payloads, finish="tool_calls")
    assert tool_calls(chunks) == calls
    assert chunks[-1]["finishReason"] == "tool_calls"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("end_turn", "stop"),
        ("eos", "stop"),
        ("SAFETY", "content_filter"),
        ("something_new", "something_new"),
    ],
)
def test_the_finish_reason_is_told_in_one_vocabulary(given: str, told: str) -> None:
    """A word that nobody knows is a reason too."""
    assert read(delta(content="x"), finish=given)[-1]["finishReason"] == told


@pytest.mark.parametrize("reason", ["", None, 0, False, {}])
def test_what_is_no_finish_reason_does_not_finish(reason: Any) -> None:
    """Some servers send an empty one with every chunk."""
    completion = Completion(Answer(run_id="r", thread_id="t", message_id="m"))
    payload = {"choices": [{"delta": {"content": "x"}, "finish_reason": reason}]}
    completion.feed(Event("message", json.dumps(payload).encode()))
    assert not completion.whole


@pytest.mark.parametrize(
    "payload",
    [
        delta(content="Hello"),
        delta(content=[{"type": "text", "text": "Hello"}]),
        delta(content=[{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]),
        delta(content=["Hel", "lo"]),
        delta(content={"type": "text", "text": "Hello"}),
        delta(content=[{"type": "output_text", "text": {"value": "Hello"}}]),
        delta(content=None, refusal="Hello"),
        delta(content=[None, 5, {"type": "image_url"}, {"type": "text", "text": "Hello"}]),
        {"choices": [{"message": {"content": "Hello"}}]},
        {"choices": [{"delta": {}, "message": {"role": "assistant", "content": "Hello"}}]},
        {"choices": [{"delta": None, "message": {"content": "Hello"}}]},
        {"choices": [{"text": "Hello"}]},
        {"choices": {"delta": {"content": "Hello"}}},
        {"choices": [{"index": 1, "delta": {"content": "B"}}, {"index": 0, "delta": {"content": "Hello"}}]},
        {"error": None, "choices": [{"delta": {"content": "Hello"}}]},
    ],
)
def test_text_is_found_in_every_shape(payload: Any) -> None:
    """Strings, lists of parts, ``message`` for ``delta``, the old ``text``."""
    assert text(read(payload)) == "Hello"


def test_a_last_message_does_not_repeat_the_deltas() -> None:
    """Some servers end with the whole message; some send nothing but messages, each a delta."""
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    assert text(read(delta(content="Hel"), delta(content="lo"), whole, finish=None)) == "Hello"
    pieces = [{"choices": [{"message": {"content": piece}}]} for piece in ("Hel", "lo")]
    assert text(read(*pieces)) == "Hello"


@pytest.mark.parametrize(
    "payload",
    [
        delta(reasoning_content="hmm"),
        delta(reasoning="hmm"),
        delta(thinking="hmm"),
        delta(reasoning_text="hmm"),
        delta(thought="hmm"),
        delta(reasoning={"content": "hmm"}),
        delta(reasoning_content=["h", "mm"]),
        delta(reasoning="hmm", reasoning_content="hmm"),
        delta(reasoning="hmm", reasoning_details=[{"type": "reasoning.text", "text": "hmm"}]),
        delta(reasoning_details=[{"type": "reasoning.summary", "summary": "hmm"}]),
        delta(thinking_blocks=[{"type": "thinking", "thinking": "hmm"}]),
        delta(content=[{"type": "thinking", "thinking": "hmm"}]),
        delta(content=[{"type": "reasoning", "summary": [{"text": "hmm"}]}]),
        {"choices": [{"message": {"reasoning_content": "hmm"}}]},
    ],
)
def test_reasoning_is_found_under_its_other_names(payload: Any) -> None:
    """Once, although some servers send it under two of them; its events come in pairs, before the text's."""
    chunks = read(payload, delta(content="42"))
    assert (thinking(chunks), text(chunks)) == ("hmm", "42")
    assert [chunk["type"] for chunk in chunks[2:9]] == [
        "STEP_STARTED",
        "REASONING_START",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        "REASONING_END",
        "STEP_FINISHED",
    ]


def test_a_signature_is_kept_with_its_thought() -> None:
    """In the event that TanStack and AG-UI read."""
    chunks = read(
        delta(reasoning_details=[{"type": "reasoning.text", "text": "hmm"}]),
        delta(reasoning_details=[{"type": "reasoning.text", "signature": "sig"}]),
        delta(content="x"),
    )
    [signed] = [chunk for chunk in chunks if chunk["type"] == "REASONING_ENCRYPTED_VALUE"]
    assert signed["encryptedValue"] == "sig" and signed["entityId"] == "think-m"


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"error": {"message": "overloaded"}}, "overloaded"),
        ({"error": "overloaded"}, "overloaded"),
        ({"error": {"type": "x", "error": {"message": "overloaded"}}}, "overloaded"),
        ({"error": {"message": "Provider", "metadata": {"raw": "overloaded"}}, "choices": []}, "overloaded"),
        ({"error": {"message": "overloaded"}, "choices": [{"delta": {"content": "x"}}]}, "overloaded"),
        ({"errors": [{"message": "overloaded"}], "success": False}, "overloaded"),
        ({"success": False, "message": "overloaded"}, "overloaded"),
        ({"object": "error", "message": "overloaded", "code": 500}, "overloaded"),
        ({"type": "error", "message": "overloaded"}, "overloaded"),
        ({"status": "error", "detail": "overloaded"}, "overloaded"),
        ({"detail": [{"loc": ["body"], "msg": "overloaded"}]}, "overloaded"),
        ({"code": "InvalidApiKey", "message": "overloaded"}, "overloaded"),
        ({"error_code": 17, "error_msg": "overloaded"}, "overloaded"),
        ({"base_resp": {"status_code": 1008, "status_msg": "overloaded"}}, "overloaded"),
        ({"message": "overloaded"}, "overloaded"),
        ([{"error": {"message": "overloaded"}}], "overloaded"),
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, "finish_reason error"),
        ({"choices": [{"finish_reason": "error", "error": {"message": "overloaded"}}]}, "overloaded"),
        ({"choices": [{"delta": {}, "error": {"code": 502, "message": "overloaded"}}]}, "overloaded"),
        ("{", "not JSON: {"),
        ("overloaded", "overloaded"),
    ],
)
def test_a_failure_inside_a_stream_fails_the_run_with_its_text(payload: Any, says: str) -> None:
    """In any shape that a server is known to use."""
    with pytest.raises(SourceError, match=says):
        read(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        5,
        None,
        "",
        {"type": "ping"},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": 5}]},
        {"choices": [], "code": 0, "message": "ok"},
        {"choices": [], "prompt_filter_results": [{}]},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"object": "chat.completion.chunk", "status": "in_progress"},
    ],
)
def test_what_adds_nothing_is_passed_over(payload: Any) -> None:
    """Pings, filters' results, nulls."""
    assert text(read(payload, delta(content="x"))) == "x"


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, (1, 2, 3)),
        ({"prompt_tokens": None, "completion_tokens": 3}, (0, 3, 3)),
        ({"prompt_tokens": "7", "completion_tokens": True, "total_tokens": 5}, (0, 0, 5)),
        ({"input_tokens": 1, "output_tokens": 2}, (1, 2, 3)),
        ({"prompt_tokens": -1, "completion_tokens": 1.5, "total_tokens": [1]}, (0, 1.5, 1.5)),
    ],
)
def test_usage_is_numbers_only(usage: Any, told: Any) -> None:
    """Nulls, strings and negative numbers count as zero."""
    chunks = read(delta(content="x"), {"choices": [], "usage": usage})
    assert tuple(chunks[-1]["usage"].values()) == told


def test_usage_is_found_in_its_other_places() -> None:
    """The last usage counts, with its details; null is ignored."""
    moonshot = {"choices": [{"delta": {}, "usage": {"prompt_tokens": 1}}]}
    groq = {"choices": [], "x_groq": {"usage": {"prompt_tokens": 1}}}
    for payload in (moonshot, groq):
        assert read(delta(content="x"), payload)[-1]["usage"]["promptTokens"] == 1
    detailed = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": None}
    told = read({"choices": [], "usage": {"prompt_tokens": 1}}, {"usage": detailed})[-1]["usage"]
    assert told["promptTokens"] == 9 and told["promptTokensDetails"] == {"cachedTokens": 4}
    assert "usage" not in read(delta(content="x"), {"usage": None})[-1]


def test_half_a_character_waits_for_the_other_half() -> None:
    """In text, thoughts and arguments; a half that stays alone becomes U+FFFD, so that the log can carry it."""
    chunks = read(
        delta(reasoning="a\ud83d"),
        delta(reasoning="\ude00"),
        delta(content="b\ud83d"),
        delta(content="\ude00c \ud83d"),
        call('{"x":"\ud83d', name="f", id="i"),
        call('\ude00"}', id="i"),
    )
    assert thinking(chunks) == "a\U0001f600"
    assert text(chunks) == "b\U0001f600c \ufffd"
    assert tool_calls(chunks) == [["f", '{"x":"\U0001f600"}']]
    json.dumps(chunks, ensure_ascii=False).encode()


def test_text_after_a_thought_after_text_is_a_message_of_its_own() -> None:
    """TanStack would repeat the first text in the second."""
    chunks = read(delta(content="one"), delta(reasoning="hmm"), delta(content="two"))
    said = [(chunk["messageId"], chunk["delta"]) for chunk in chunks if chunk["type"] == "TEXT_MESSAGE_CONTENT"]
    assert said == [("m", "one"), ("m-2", "two")]


def test_too_many_calls_are_an_error() -> None:
    """A model in a loop cannot fill the memory."""
    with pytest.raises(SourceError, match="256"):
        read(*(call("{}", name="f", id=str(number)) for number in range(300)))


texts = [None, True, 0, -1, 1.5, "", "x", '{"a":1}', "\ud83d", "\ude00"]
holders = [[], {}, [None], ["x"], {"text": "x"}, [{"text": "x"}], [{"type": "thinking", "thinking": "x"}]]
odd = st.sampled_from([*texts, *holders, {"name": "f", "arguments": "{}"}, {"name": 5, "arguments": [1]}])
fragments = st.fixed_dictionaries(
    {}, optional={"index": odd, "id": odd, "function": odd, "name": odd, "arguments": odd}
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": odd, "refusal": odd, "reasoning_content": odd, "reasoning": odd, "reasoning_details": odd,
        "tool_calls": odd | fragments | st.lists(fragments), "function_call": odd,
    },
)  # fmt: skip
choices = st.fixed_dictionaries(
    {}, optional={"index": odd, "delta": odd | deltas, "message": odd | deltas, "finish_reason": odd, "text": odd}
)
payloads = odd | st.fixed_dictionaries(
    {}, optional={"choices": odd | st.lists(choices), "usage": odd, "error": odd, "code": odd, "message": odd}
)


@given(st.lists(payloads))
def test_nothing_that_a_server_sends_raises_anything_else(payloads: list[Any]) -> None:
    """It is read, passed over, or a SourceError; what was read is whole, in pairs, and UTF-8."""
    answer = Answer(run_id="r", thread_id="t", message_id="m")
    completion = Completion(answer)
    chunks = answer.begin()
    try:
        for payload in payloads:
            chunks += completion.feed(Event("message", json.dumps(payload).encode()))
    except SourceError:
        pass
    chunks += completion.finish()
    check_pairs(chunks)
    json.dumps(chunks, ensure_ascii=False).encode()


DEEP = b'{"choices":[{"delta":{"content":' + b"[" * 600 + b"]" * 600 + b"}}]}"


@pytest.mark.parametrize("data", [b"[" * 100_000, b"\xff\xfe", DEEP])
def test_hostile_bytes_are_read_or_a_source_error(data: bytes) -> None:
    """Nested without end, or no UTF-8."""
    completion = Completion(Answer(run_id="r", thread_id="t", message_id="m"))
    try:
        assert completion.feed(Event("message", data)) == []
    except SourceError as error:
        assert "not JSON" in str(error)
