"""What clients of the AI SDK submit, as messages of ours, and back again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.errors import BadRequest
from resumable_chat.wire.ai_sdk.history import ui_messages
from resumable_chat.wire.ai_sdk.inbound import answers_tools, read_ui_messages
from resumable_chat.wire.messages import read_messages

STEP = {"type": "step-start"}


def ui(*parts: Any, role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {"id": "m", "role": role, "parts": list(parts), **more}


def parts_of(*parts: Any, role: str = "assistant") -> list[dict[str, Any]]:
    (message,) = read_messages(read_ui_messages([ui(*parts, role=role)]))
    return list(message["parts"])


def tool(state: str, call_id: str = "c", **more: Any) -> dict[str, Any]:
    return {"type": "dynamic-tool", "toolName": "f", "toolCallId": call_id, "state": state, "input": {"q": 1}, **more}


def test_text_files_and_reasoning_have_a_form_of_ours() -> None:
    """Files by their media type, inline ones as base64."""
    assert parts_of({"type": "text", "text": "Hi", "state": "done"}, role="user") == [{"type": "text", "content": "Hi"}]
    file = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,QUJD", "filename": "a.png"}
    assert parts_of(file, role="user") == [
        {
            "type": "image",
            "source": {"type": "data", "value": "QUJD", "mimeType": "image/png"},
            "metadata": {"filename": "a.png"},
        }
    ]
    signed = {"type": "reasoning", "text": "Hm", "providerMetadata": {"resumable": {"signature": "S"}}}
    assert parts_of(signed) == [{"type": "thinking", "content": "Hm", "signature": "S"}]


@pytest.mark.parametrize(
    ("file", "kind", "source"),
    [
        ({"mediaType": "audio/mpeg", "url": "https://x/a"}, "audio", {"type": "url", "value": "https://x/a"}),
        ({"mediaType": "video", "url": "https://x/a"}, "video", {"type": "url", "value": "https://x/a"}),
        ({"mediaType": "application/pdf", "url": "https://x/a"}, "document", {"type": "url", "value": "https://x/a"}),
        ({"mediaType": "text/plain", "url": "data:,a%20b"}, "document", {"type": "data", "value": "YSBi"}),
        ({"url": "data:image/gif;base64,QUJD"}, "image", {"type": "data", "value": "QUJD", "mimeType": "image/gif"}),
        ({"url": "https://x/a"}, "document", {"type": "url", "value": "https://x/a"}),
    ],
)
def test_a_file_is_what_its_media_type_says(file: dict[str, Any], kind: str, source: dict[str, str]) -> None:
    """Whether it is inline or elsewhere."""
    (part,) = parts_of({"type": "file", **file}, role="user")
    assert part["type"] == kind
    assert part["source"] == ({"mimeType": file["mediaType"]} if file.get("mediaType") else {}) | source


def test_results_come_behind_the_calls_of_their_step() -> None:
    """Two calls of one step were made at once, and two steps one after the other."""
    two = tool("output-available", "d", output="x")
    assert [
        (part["type"], part.get("id", part.get("toolCallId")))
        for part in parts_of(
            *(STEP, tool("output-available", output={"n": 1}), two, STEP, tool("output-error", "e", errorText="no"))
        )
    ] == [
        *(("tool-call", "c"), ("tool-call", "d"), ("tool-result", "c"), ("tool-result", "d")),
        *(("tool-call", "e"), ("tool-result", "e")),
    ]


@pytest.mark.parametrize(
    ("part", "call", "result"),
    [
        (tool("input-available"), {"state": "input-complete"}, None),
        (
            tool("input-streaming", input=None, rawInput='{"q":'),
            {"state": "input-streaming", "arguments": '{"q":'},
            None,
        ),
        (tool("approval-requested", approval={"id": "p"}), {"approval": {"id": "p", "needsApproval": True}}, None),
        (
            tool("approval-responded", approval={"id": "p", "approved": False, "reason": "No."}),
            {"approval": {"id": "p", "needsApproval": True, "approved": False, "reason": "No."}},
            None,
        ),
        (tool("output-available", output=[1]), {"state": "complete", "output": [1]}, {"content": "[1]"}),
        (tool("output-available", output="plain"), {"output": "plain"}, {"content": "plain"}),
        (tool("output-available", output="12"), {"output": "12"}, {"content": '"12"'}),
        (
            tool("output-error", errorText="broke"),
            {"state": "error", "output": {"error": "broke"}},
            {"state": "error", "error": "broke"},
        ),
        (
            {"type": "tool-get-time", "toolCallId": "c", "state": "input-available", "input": {}},
            {"name": "get-time", "arguments": "{}"},
            None,
        ),
    ],
)
def test_a_tool_part_is_a_call_and_its_result(
    part: dict[str, Any], call: dict[str, Any], result: dict[str, Any] | None
) -> None:
    """Whatever its state is, and whether the tool was known to the client."""
    made, *rest = parts_of(part)
    assert {name: made.get(name) for name in call} == call
    assert [{name: each[name] for name in (result or {})} for each in rest] == ([] if result is None else [result])


def test_one_message_of_the_client_may_be_several_of_the_log() -> None:
    """The mark says where the next one begins; a first one without parts is not sent on."""
    mark = {"type": "data-resumable-message", "data": {"id": "n"}}
    hi, ho = {"type": "text", "text": "Hi"}, {"type": "text", "text": "Ho"}
    assert [(m["id"], len(m["parts"])) for m in read_ui_messages([ui(STEP, hi, STEP, mark, ho)])] == [
        ("m", 1),
        ("n", 1),
    ]
    assert [m["id"] for m in read_ui_messages([ui(STEP, mark, ho)])] == ["n"]


def test_what_only_the_ai_sdk_knows_comes_back_to_it() -> None:
    """Data parts and sources of a user's message are kept."""
    parts = [{"type": "data-place", "data": {"x": 1}}, {"type": "source-url", "sourceId": "s", "url": "https://x"}]
    (message,) = ui_messages(read_messages(read_ui_messages([ui(*parts, role="user")])))
    assert message["parts"] == parts


_TEXT = st.text(max_size=5)
_JSON = st.none() | st.integers(-9, 9) | _TEXT | st.lists(_TEXT, max_size=2) | st.dictionaries(_TEXT, _TEXT, max_size=2)
_OBJECT = st.dictionaries(_TEXT, _JSON, max_size=2)
_TOOL = st.builds(
    lambda given, more: {"type": "dynamic-tool", "toolName": "f", "input": given, **more},
    _OBJECT,
    st.one_of(
        st.just({"state": "input-available"}),
        st.builds(lambda out: {"state": "output-available", "output": out}, _JSON),
        st.builds(lambda out: {"state": "output-available", "output": out, "providerExecuted": True}, _JSON),
        st.builds(lambda text: {"state": "output-error", "errorText": text, "providerExecuted": True}, _TEXT),
        st.just({"state": "approval-requested", "approval": {"id": "p"}}),
        st.just({"state": "approval-responded", "approval": {"id": "p", "approved": True}}),
        st.just({"state": "output-denied", "approval": {"id": "p", "approved": False}}),
    ),
)
_PART = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text, "state": "done"}, _TEXT),
    st.builds(lambda text: {"type": "reasoning", "text": text, "state": "done"}, _TEXT),
    st.builds(lambda data: {"type": "data-x", "data": data}, _JSON),
    st.just({"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,QUJD"}),
    st.just({"type": "file", "mediaType": "application/pdf", "url": "https://x", "filename": "f"}),
)


@given(st.lists(st.tuples(st.lists(_PART, max_size=3), st.lists(_TOOL, max_size=2)), min_size=1, max_size=3))
def test_a_message_comes_back_as_it_was_sent(steps: list[Any]) -> None:
    """A page that loads the chat shows what the sender shows: text and calls, step by step."""
    parts: list[dict[str, Any]] = []
    settled = True
    for number, (before, calls) in enumerate(steps):
        if not parts or (settled and (before or calls)):
            parts.append(STEP)
        parts += before
        parts += [{**each, "toolCallId": f"c{number}{at}"} for at, each in enumerate(calls)]
        settled = any(each["state"] in ("output-available", "output-error") for each in calls)
    (message,) = ui_messages(read_messages(read_ui_messages([ui(*parts)])))
    for part in message["parts"]:
        part.pop("callProviderMetadata", None)
    assert message["parts"] == parts


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("hi", "messages: must be the list"),
        ([1], "messages[0]: must be a UIMessage"),
        ([{"role": "user", "parts": []}], "messages[0].id"),
        ([ui(role="robot")], "messages[0].role: must be one of user"),
        ([ui(role=["user"])], "messages[0].role"),  # type: ignore[arg-type]
        ([{"id": "m", "role": "user", "content": "hi"}], "messages[0].parts: must be a list"),
        ([ui("hi")], "messages[0].parts[0]: must be an object"),
        ([ui({"type": []})], "messages[0].parts[0]: must be an object"),
        ([ui({"type": "text"})], "messages[0].parts[0].text: must be a string"),
        ([ui({"type": "reasoning", "text": 1})], "messages[0].parts[0].text"),
        ([ui({"type": "file", "url": 1})], "messages[0].parts[0].url: must be a string"),
        ([ui({"type": "file", "url": "blob:x"})], "messages[0].parts[0].url: a blob: URL"),
        ([ui({"type": "file", "url": "data:x"})], "messages[0].parts[0].url: the data: URL has no comma"),
        ([ui({"type": "file", "url": "data:;base64,!"})], "messages[0].parts[0].url: the data: URL is not valid"),
        ([ui(tool("cooked"))], "messages[0].parts[0].state: must be one of input-streaming"),
        ([ui(tool("output-error"))], "messages[0].parts[0].errorText"),
        ([ui(tool("input-available", toolName=None))], "messages[0].parts[0].toolName"),
        ([ui(tool("input-available", call_id=7))], "messages[0].parts[0].toolCallId"),  # type: ignore[arg-type]
        ([ui(tool("approval-responded", approval={"id": 1}))], "messages[0].parts[0].approval.id"),
        ([ui({"type": "data-resumable-message"})], "messages[0].parts[0].data.id"),
    ],
)
def test_a_bad_part_is_refused_by_its_name(messages: Any, words: str) -> None:
    """The text says what to change."""
    with pytest.raises(BadRequest) as refused:
        read_messages(read_ui_messages(messages))
    assert refused.value.status == 400 and refused.value.detail.startswith(words)


def test_only_the_last_step_can_answer_a_tool() -> None:
    """What came before it has been answered itself."""
    answered = tool("output-available", output=1)
    assert answers_tools(ui(STEP, answered))
    assert answers_tools(ui(STEP, answered, STEP))
    assert answers_tools(ui(STEP, tool("approval-responded", approval={"id": "p", "approved": True})))
    assert not answers_tools(ui(STEP, answered, STEP, {"type": "text", "text": "So."}))
    assert not answers_tools(ui(STEP, tool("output-available", output=1, providerExecuted=True)))
    assert not answers_tools(ui(STEP, tool("input-available")))
    assert not answers_tools(ui({"type": "text", "text": "Hi"}))
