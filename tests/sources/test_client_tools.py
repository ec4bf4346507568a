"""Tools that run in the client are offered to every model, and their calls are told before the run's end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat import SourceContext
from resumable_chat.sources.bedrock.request import to_converse
from resumable_chat.sources.client_tools import MAX_TOOLS, ClientCalls, ClientTool, read_tools
from resumable_chat.sources.openai.request import request_body
from resumable_chat.sources.port import iterate

LOCATE = {"name": "locate", "description": "Where the user is", "parameters": {"type": "object", "properties": {}}}
STARTED = {"type": "RUN_STARTED", "runId": "r"}
FINISHED = {"type": "RUN_FINISHED", "runId": "r", "finishReason": "tool_calls"}


def call(arguments: str = '{"exact":true}', *, name: str = "locate", call_id: str = "c") -> list[dict[str, Any]]:
    return [
        {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": name},
        *(
            {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": piece}
            for piece in (arguments[:3], arguments[3:])
        ),
        {"type": "TOOL_CALL_END", "toolCallId": call_id},
    ]


def available(given: Any = None, call_id: str = "c") -> dict[str, Any]:
    value = {"toolCallId": call_id, "toolName": "locate", "input": {"exact": True} if given is None else given}
    return {"type": "CUSTOM", "name": "tool-input-available", "value": value}


def passed(*chunks: dict[str, Any]) -> list[dict[str, Any]]:
    calls = ClientCalls(read_tools([LOCATE]))
    return [out for chunk in chunks for out in calls.feed(chunk)] + calls.end()


def test_a_call_without_a_result_is_told_before_the_runs_end() -> None:
    """Two calls in the order in which they were made; all else is passed on as it comes."""
    chunks = [STARTED, *call(), *call("{}", call_id="d")]
    assert passed(*chunks, FINISHED) == [*chunks, available(), available({}, "d"), FINISHED]


def test_it_is_told_also_if_the_source_leaves_the_runs_end_to_us() -> None:
    """As the last chunk."""
    assert passed(*call()) == [*call(), available()]


def test_the_input_may_come_with_the_calls_end() -> None:
    """Instead of arguments."""
    start, *_, end = call()
    assert passed(start, {**end, "input": {"a": 1}}) == [start, {**end, "input": {"a": 1}}, available({"a": 1})]


@pytest.mark.parametrize(
    "chunks",
    [
        [*call(name="other")],
        [*call(), {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "content": "here"}],
        [*call(), available()],
        [*call('{"exact":')],
        [*call("[" * 100_000)],
        call()[:-1],
    ],
    ids=["a tool of the server's", "a result", "told already", "cut off", "too deep", "no end"],
)
def test_nothing_else_is_told(chunks: list[dict[str, Any]]) -> None:
    """A call that has its result, was told, or did not come whole must not run."""
    assert passed(STARTED, *chunks, FINISHED) == [STARTED, *chunks, FINISHED]


def test_an_interrupt_about_the_call_tells_the_client_by_itself() -> None:
    """Then the answer to the interrupt goes on, once; a call beside it is told."""
    interrupts = [{"id": "i", "toolCallId": "c"}, {"id": "j"}, None]
    finished = {**FINISHED, "outcome": {"type": "interrupt", "interrupts": interrupts}}
    assert passed(*call(), *call(call_id="d"), finished)[-2:] == [available(call_id="d"), finished]
    assert passed(*call(), finished)[-1] == finished and available() not in passed(*call(), finished)


def test_an_end_of_one_of_several_runs_is_not_the_last() -> None:
    """An agent loop ends a run for each call of its model; the client learns of the call when the loop is over."""
    result = {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "content": "here"}
    looped = [STARTED, *call(), FINISHED, STARTED, result, FINISHED]
    assert passed(*looped) == looped
    open_to_the_end = [STARTED, *call(), FINISHED, STARTED, FINISHED]
    assert passed(*open_to_the_end) == [*open_to_the_end[:-1], available(), FINISHED]


def test_a_run_that_fails_asks_for_nothing() -> None:
    """Its error is the last word."""
    failed = [STARTED, *call(), {"type": "RUN_ERROR", "message": "no"}]
    assert passed(*failed) == failed


_INTERRUPTS = [None, 7, {"toolCallId": []}, {"toolCallId": "c"}]
_VALUES: Any = st.sampled_from(
    [None, 5, "x", [], {}, {"toolCallId": []}, {"toolCallId": "c"}, {"interrupts": 5}, {"interrupts": _INTERRUPTS}]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "RUN_FINISHED", "CUSTOM"])},
            optional={
                "toolCallId": st.just("c") | _VALUES,
                "toolCallName": st.just("locate") | _VALUES,
                "delta": st.just("{}") | _VALUES,
                "outcome": _VALUES,
                "name": st.just("tool-input-available"),
                "value": _VALUES,
            },
        ),
        max_size=12,
    )
)
def test_whatever_a_source_yields_is_passed_on_in_its_order(chunks: list[dict[str, Any]]) -> None:
    """Nothing is lost or raised; only what is told is added."""
    out = passed(*chunks)
    assert [chunk for chunk in out if chunk != available({}) and chunk not in chunks] == []
    assert [chunk for chunk in out if any(chunk is given for given in chunks)] == chunks


def test_tools_are_read_in_either_form() -> None:
    """AG-UI's, OpenAI's and an ``inputSchema``; a name counts once, and what is not a tool is left out."""
    junk: list[Any] = [None, 7, "x", [], {}, {"name": 5}, {"function": "f"}, {"name": ""}]
    nested = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": []}}}
    tools = read_tools([*junk, LOCATE, nested, {"name": "g", "inputSchema": {"type": "object"}}, {**LOCATE, "x": 1}])
    assert [(tool.name, tool.description) for tool in tools] == [("locate", "Where the user is"), ("f", ""), ("g", "")]
    assert tools[1].parameters == {"type": "object", "properties": {}, "required": []}
    assert len(read_tools([{"name": f"t{n}"} for n in range(MAX_TOOLS + 1)])) == MAX_TOOLS


TOOLS = [ClientTool("f", "", {"type": "object", "properties": {}}), *read_tools([LOCATE])]


def test_openai_is_offered_the_clients_tools() -> None:
    """Behind those of the settings, which win."""
    own = {"type": "function", "function": {"name": "f", "description": "ours"}}
    body = request_body([], {"model": "m", "tools": [own]}, system=None, with_usage=False, tools=TOOLS)
    assert body["tools"] == [own, {"type": "function", "function": LOCATE}]
    assert "tools" not in request_body([], {"model": "m"}, system=None, with_usage=False)


def test_bedrock_is_offered_the_clients_tools() -> None:
    """Without a description rather than with an empty one, which Bedrock refuses; the settings' own win."""
    spec = {"name": "locate", "description": "Where the user is", "inputSchema": {"json": LOCATE["parameters"]}}
    body = to_converse([], {"modelId": "m"}, tools=TOOLS)
    unnamed = {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    assert body["toolConfig"] == {"tools": [{"toolSpec": unnamed}, {"toolSpec": spec}]}
    own = {"toolSpec": {"name": "f"}}
    config = {"tools": [own], "toolChoice": {"auto": {}}}
    body = to_converse([], {"modelId": "m", "toolConfig": config}, tools=TOOLS)
    assert body["toolConfig"] == {"tools": [own, {"toolSpec": spec}], "toolChoice": {"auto": {}}}
    assert config == {"tools": [own], "toolChoice": {"auto": {}}}


async def test_calls_are_told_for_any_source() -> None:
    """Also for a plain function; without tools of a client nothing is added."""

    def source(messages: Any) -> Any:
        yield from [STARTED, *call(), FINISHED]

    def context(*tools: Any) -> SourceContext:
        return SourceContext(stream="s", run_id="r", thread_id="t", message_id="m", tools=tools)

    assert [chunk async for chunk in iterate(source, [], context(LOCATE))] == [STARTED, *call(), available(), FINISHED]
    assert [chunk async for chunk in iterate(source, [], context())] == [STARTED, *call(), FINISHED]
