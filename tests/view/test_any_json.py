"""Any JSON value, in any place of any record, leaves the rest of the chat readable and the same in two processes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.protocol.records import NewRecord, Record
from resumable_chat.view.view import View
from resumable_chat.wire.s2 import S2Session

from ..logs import OURS, answer, body, events_in, fed, message, records, texts, turn

FIELDS = ["id", "type", "role", "parts", "content", "metadata", "tanstack", "resumable", "run", "outcome", "name"]
WORDS = ["a", "u", "c", "r", "text", "tool-call", "user", "assistant", "interrupt"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=5)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)

TOOLS: list[dict[str, Any]] = [
    {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": "a"},
    {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{}"},
    {"type": "TOOL_CALL_END", "toolCallId": "c", "input": {}},
    {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "t", "content": "1", "state": "output-available"},
    {"type": "REASONING_MESSAGE_CONTENT", "messageId": "q", "delta": "hm"},
    {"type": "STEP_FINISHED", "stepId": "s", "signature": "g"},
    {"type": "CUSTOM", "name": "structured-output.complete", "value": {"messageId": "a", "object": {}, "raw": "{}"}},
    {"type": "CUSTOM", "name": "approval-requested", "value": {"toolCallId": "c", "approval": {"id": "p"}}},
    {
        "type": "MESSAGES_SNAPSHOT",
        "messages": [{"id": "u", "role": "user", "parts": [{"type": "text", "content": "q"}]}],
    },
    {
        "type": "RUN_FINISHED",
        "runId": "r",
        "outcome": {"type": "interrupt", "interrupts": [{"id": "i", "toolCallId": "c"}]},
    },
    {"type": "RUN_ERROR", "runId": "r", "message": "m", "error": {"message": "m"}, "code": "x"},
]
CHUNKS = [*turn(message("u"), run_id="r"), *answer("a", "r", "1"), *TOOLS]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, held in inner for place in places(held, (*at, key)))]


def put(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    copy = json.loads(json.dumps(value))
    target = copy
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = odd
    return copy


@st.composite
def odd_records(draw: st.DrawFn) -> bytes:
    chunk = draw(st.sampled_from(CHUNKS))
    place = draw(st.sampled_from(places(chunk)))
    return json.dumps(put(chunk, place, draw(JSON))).encode()


LAST = [OURS, *turn(message("u9", "still?"), run_id="r9"), *answer("a9", "r9", "readable"), "end-9"]


@settings(max_examples=300, deadline=None)
@given(st.lists(odd_records(), min_size=1, max_size=4), st.integers(0, 8), st.integers(1, 7), st.booleans())
def test_any_value_in_any_place_costs_only_itself(odd: list[bytes], at: int, size: int, ends: bool) -> None:
    """The next turn is whole, and a process that read the log in other slices shows the same bytes."""
    first: list[Any] = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1")]
    log = records(*first[: at + 1], *odd, *first[at + 1 :], *(["end-0"] if ends else []), *LAST)
    whole, sliced, wire = View(), View(), S2Session()
    fed(whole, log)
    sent = b""
    for start in range(0, len(log), size):
        for events in sliced.feed(log[start : start + size]):
            sent += body(wire.live(sliced, events))
    events_in(sent)
    assert texts(whole)[-2:] == [("u9", "still?"), ("a9", "readable")]
    assert sliced.json.encode().data == whole.json.encode().data
    assert json.loads(whole.json.encode().data)
    assert sliced.skipped == whole.skipped
    for cursor in (None, 0, len(log) // 2, len(log)):
        events_in(body(wire.opening(whole, cursor)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=2))
def test_any_bytes_and_headers_cost_only_themselves(body_: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """A record of any making stands between two turns."""
    strange = NewRecord(body_, tuple(headers))
    before = records(*LAST)
    record = Record(len(before), before[-1].timestamp, strange.body, strange.headers)
    after = records(OURS, *turn(message("u2"), "a9"), *answer("a2", "r2", "ok"), "end-1", start=len(before) + 1)
    view = View()
    fed(view, [*before, record, *after])
    assert texts(view)[-1] == ("a2", "ok")
