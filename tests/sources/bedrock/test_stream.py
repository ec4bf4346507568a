"""Events of a converse stream become AG-UI chunks."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.sources.answer import Answer
from resumable_chat.sources.bedrock.errors import BedrockError
from resumable_chat.sources.bedrock.stream import ConverseAnswer
from resumable_chat.sources.errors import SourceError

from ..answers import check_pairs, text, tool_calls


def read(*events: dict[str, Any]) -> list[dict[str, Any]]:
    answer = Answer(run_id="r", thread_id="t", message_id="m")
    converse = ConverseAnswer(answer)
    chunks = answer.begin()
    for event in events:
        chunks += converse.feed(event)
    chunks += converse.finish()
    check_pairs(chunks)
    return chunks


def delta(index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}


def stop(reason: Any = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("something_new", "something_new"),
        (None, "stop"),
    ],
)
def test_every_stop_reason_is_told(reason: Any, told: str) -> None:
    """In one vocabulary; an unknown word as it is."""
    assert read(delta(text="x"), stop(reason))[-1]["finishReason"] == told


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_malformed_output_is_an_error(reason: str) -> None:
    """It is no answer."""
    with pytest.raises(SourceError, match=reason):
        read(delta(text="x"), stop(reason))


def test_a_thought_that_is_encrypted_whole_is_a_signature_without_text() -> None:
    """In base64, in a thought of its own."""
    redacted = delta(1, reasoningContent={"redactedContent": b"\xff"})
    chunks = read(delta(reasoningContent={"text": "hm"}), redacted, stop())
    [signed] = [chunk for chunk in chunks if chunk["type"] == "REASONING_ENCRYPTED_VALUE"]
    assert base64.b64decode(signed["encryptedValue"]) == b"\xff" and signed["entityId"] == "think-m-2"


def test_calls_have_ids_of_their_own() -> None:
    """Also where a model repeats one, or gives none."""
    start = {"toolUse": {"toolUseId": "x", "name": "f"}}
    chunks = read(
        {"contentBlockStart": {"contentBlockIndex": 0, "start": start}},
        delta(0, toolUse={"input": "1"}),
        {"contentBlockStart": {"contentBlockIndex": 1, "start": start}},
        delta(1, toolUse={"input": "2"}),
        delta(2, toolUse={"input": "3"}),
        stop("tool_use"),
    )
    assert tool_calls(chunks) == [["f", "1"], ["f", "2"], ["unknown", "3"]]


def test_exceptions_as_events_are_errors() -> None:
    """botocore raises them; other readers hand them over."""
    with pytest.raises(BedrockError, match="slow down") as raised:
        read({"throttlingException": {"message": "slow down"}})
    assert raised.value.code == "ThrottlingException"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"messageStart": {"role": "assistant"}},
        {"SDK_UNKNOWN_MEMBER": {"name": "x"}},
        {"contentBlockStart": {"contentBlockIndex": 0, "start": {}}},
        {"contentBlockStart": {}},
        {"contentBlockStop": {}},
        {"contentBlockDelta": {"delta": {"citation": {"title": "x"}}}},
        {"contentBlockDelta": {"delta": {"text": ""}}},
        {"contentBlockDelta": {"delta": {"text": 5, "reasoningContent": 5, "toolUse": 5}}},
        {"contentBlockDelta": {}},
        {"contentBlockDelta": None},
        {"metadata": {"usage": None}},
    ],
)
def test_what_adds_nothing_is_passed_over(event: Any) -> None:
    """Unknown events too: the API grows."""
    assert text(read(event, delta(text="x"), stop())) == "x"


def test_usage_has_the_cached_tokens() -> None:
    """Numbers only."""
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": None, "cacheReadInputTokens": 7}
    told = read(delta(text="x"), stop(), {"metadata": {"usage": usage}})[-1]["usage"]
    assert told == {
        "promptTokens": 1,
        "completionTokens": 2,
        "totalTokens": 3,
        "promptTokensDetails": {"cachedTokens": 7},
    }


def test_half_a_character_is_joined() -> None:
    """As everywhere."""
    assert text(read(delta(text="\ud83d"), delta(text="\ude00"), stop())) == "\U0001f600"


odd = st.sampled_from(
    [None, True, 0, "", "x", "\ud83d", b"\xff", [], {}, ["x"], {"text": "x"}, {"toolUseId": "t", "name": "f"}]
)
thoughts = st.fixed_dictionaries({}, optional={"text": odd, "signature": odd, "redactedContent": odd})
inputs = st.fixed_dictionaries({"input": odd})
deltas = st.fixed_dictionaries({}, optional={"text": odd, "toolUse": odd | inputs, "reasoningContent": odd | thoughts})
blocks = st.fixed_dictionaries(
    {},
    optional={
        "contentBlockIndex": st.sampled_from([0, 1, None, "x"]),
        "delta": odd | deltas,
        "start": odd | st.fixed_dictionaries({"toolUse": odd}),
        "stopReason": odd,
        "usage": odd,
    },
)
kinds = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "other"]
)


@given(st.lists(st.dictionaries(kinds, odd | blocks, max_size=1)))
def test_nothing_in_an_event_raises_anything_else(events: list[Any]) -> None:
    """It is read, passed over, or a SourceError; what was read is whole, in pairs, and UTF-8."""
    try:
        chunks = read(*events, stop())
    except SourceError:
        return
    json.dumps(chunks, ensure_ascii=False).encode()
