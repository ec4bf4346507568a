"""pydantic-ai agents as sources, on its offline models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from resumable_chat import SourceContext
from resumable_chat.sources.errors import SourceError
from resumable_chat.sources.port import iterate

pydantic_ai = pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")

from pydantic import BaseModel  # noqa: E402
from pydantic_ai import Agent, ModelRetry, NativeOutput  # noqa: E402
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel  # noqa: E402
from pydantic_ai.models.test import TestModel  # noqa: E402

from resumable_chat.sources.agents import AgentSource, is_pydantic_agent  # noqa: E402

from ..answers import check_pairs, text, thinking, tool_calls  # noqa: E402
from ..bedrock_server import Exchange, bedrock_server  # noqa: E402

TestModel.__test__ = False  # type: ignore[attr-defined]

HI = {"id": "u", "role": "user", "content": "hi"}


def context(**more: Any) -> SourceContext:
    return SourceContext(stream="s", run_id="r", thread_id="t", message_id="m", **more)


async def read(agent: Any, *messages: Any, **more: Any) -> list[dict[str, Any]]:
    source = AgentSource(agent, **({"deps": more.pop("deps")} if "deps" in more else {}))
    given = list(messages) or [HI]
    chunks = [chunk async for chunk in iterate(source, given, context(**more))]
    check_pairs(chunks)
    return chunks


def scripted(*turns: Any) -> FunctionModel:
    """A model whose n-th response in a conversation streams the n-th of these."""

    async def stream(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
        turn = sum(message.kind == "response" for message in messages)
        for piece in turns[min(turn, len(turns) - 1)]:
            yield piece

    return FunctionModel(stream_function=stream)


def call(name: str, arguments: str, call_id: str, index: int = 0) -> dict[int, DeltaToolCall]:
    return {index: DeltaToolCall(name=name, json_args=arguments, tool_call_id=call_id)}


def results(chunks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(chunk["toolCallId"], chunk["content"]) for chunk in chunks if chunk["type"] == "TOOL_CALL_RESULT"]


async def test_text_is_streamed() -> None:
    """With usage and finish reason; two runs of the same give the same chunks."""
    agent = Agent(scripted(["Hel", "lo"]))
    chunks = await read(agent)
    assert text(chunks) == "Hello" and chunks[-1]["finishReason"] == "stop"
    assert all(type(count) is int for count in chunks[-1]["usage"].values())
    assert await read(agent) == chunks


async def test_sequential_and_parallel_tools_run() -> None:
    """Each call with its result; the text comes behind them."""
    parallel = [
        call("add", '{"a":1,', "x"),
        call("add", '{"a":2,"b":2}', "y", 1),
        {0: DeltaToolCall(json_args='"b":1}')},
    ]
    agent = Agent(scripted(parallel, [call("add", '{"a":3,"b":3}', "z")], ["done"]))

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    chunks = await read(agent)
    assert tool_calls(chunks) == [["add", '{"a":1,"b":1}'], ["add", '{"a":2,"b":2}'], ["add", '{"a":3,"b":3}']]
    assert sorted(results(chunks)) == [("x", "2"), ("y", "4"), ("z", "6")]
    assert text(chunks) == "done"


async def test_ids_are_deterministic_and_unique() -> None:
    """pydantic-ai makes up random ones for models without; a model may use one twice."""
    agent = Agent(scripted([call("f", "{}", "c")], [call("f", "{}", "c")], ["done"]))
    made_up = Agent(scripted([{0: DeltaToolCall(name="f", json_args="{}")}], ["done"]))
    for each in (agent, made_up):

        @each.tool_plain
        def f() -> str:
            return "1"

    chunks = await read(agent)
    assert [call_id for call_id, _ in results(chunks)] == ["c", "call-m-2"]
    assert await read(made_up) == await read(made_up)


async def test_a_failed_tool_is_told_in_public_words() -> None:
    """The model gets the details and tries again; readers do not."""
    agent = Agent(scripted([call("f", "{}", "x")], [call("f", '{"a":"no number"}', "y")], ["sorry"]), retries=3)

    @agent.tool_plain
    def f(a: int = 0) -> str:
        raise ModelRetry("secret")

    chunks = await read(agent)
    failed = [chunk for chunk in chunks if chunk["type"] == "TOOL_CALL_RESULT"]
    assert [chunk["state"] for chunk in failed] == ["output-error"] * 2
    assert "secret" not in json.dumps(chunks) and text(chunks) == "sorry"


async def test_an_approval_is_asked_for_and_answered() -> None:
    """The run ends with an interrupt; the next one runs the call, or tells the model that it was denied."""
    ran = []
    seen: list[Any] = []

    async def stream(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
        returned = [part for part in messages[-1].parts if part.part_kind == "tool-return"]
        if not returned:
            yield {**call("delete", '{"n":1}', "x"), **call("look", "{}", "y", 1)}
        else:
            seen.extend(part.content for part in returned)
            yield "so be it"

    agent = Agent(FunctionModel(stream_function=stream))

    @agent.tool_plain(requires_approval=True)
    def delete(n: int) -> str:
        ran.append(n)
        return "deleted"

    @agent.tool_plain
    def look() -> str:
        return "seen"

    asked = await read(agent)
    assert asked[-1]["outcome"] == {
        "type": "interrupt",
        "interrupts": [
            {"id": "approval-x", "reason": "tool_call", "toolCallId": "x", "metadata": {"kind": "approval"}}
        ],
    }
    assert ran == [] and results(asked) == [("y", "seen")]

    def answered(**approval: Any) -> dict[str, Any]:
        parts = [
            {"type": "tool-call", "id": "x", "name": "delete", "arguments": '{"n":1}', **approval},
            {"type": "tool-call", "id": "y", "name": "look", "arguments": "{}", "output": "seen"},
        ]
        return {"id": "a", "role": "assistant", "parts": parts}

    approved = await read(agent, HI, answered(approval={"id": "approval-x", "approved": True}))
    assert ran == [1] and results(approved) == [("x", "deleted")] and text(approved) == "so be it"
    denied = await read(agent, HI, answered(approval={"id": "approval-x", "approved": False}))
    assert ran == [1] and text(denied) == "so be it"
    assert any("denied" in str(content) for content in seen)
    resolved = [{"interruptId": "approval-x", "status": "resolved", "payload": {"approved": True}}]
    await read(agent, HI, answered(approval={"id": "approval-x", "needsApproval": True}), resume=resolved)
    assert ran == [1, 1]
    cancelled = [{"interruptId": "approval-x", "status": "cancelled", "payload": True}]
    await read(agent, HI, answered(), resume=cancelled)
    assert ran == [1, 1]
    await read(agent, HI, answered(), {"id": "u2", "role": "user", "content": "never mind"})
    assert ran == [1, 1]


async def test_a_client_tool_is_called_by_the_client() -> None:
    """The run ends with tool_calls and without an interrupt; the next one has the result."""
    agent = Agent(scripted([call("locate", '{"a":1}', "x")], ["you are here"]))
    tools = [{"name": "locate", "description": "d", "parameters": {"type": "object", "properties": {}}}, {"no": "name"}]
    chunks = await read(agent, data={"tools": tools})
    assert tool_calls(chunks) == [["locate", '{"a":1}']] and results(chunks) == []
    assert chunks[-1]["finishReason"] == "tool_calls" and "outcome" not in chunks[-1]
    part = {"type": "tool-call", "id": "x", "name": "locate", "arguments": "{}", "output": {"at": 1}}
    chunks = await read(agent, HI, {"id": "a", "role": "assistant", "parts": [part]}, data={"tools": tools})
    assert text(chunks) == "you are here"


class Person(BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("native", [False, True])
async def test_a_structured_answer_is_streamed_as_one(native: bool) -> None:
    """Its raw text between TanStack's two events, and no tool call."""
    raw = '{"name":"Ann","age":5}'
    if native:
        agent: Any = Agent(scripted([raw[:9], raw[9:]]), output_type=NativeOutput(Person))
    else:
        pieces = [call("final_result", raw[:9], "x"), {0: DeltaToolCall(json_args=raw[9:])}]
        agent = Agent(scripted(pieces), output_type=Person)
    chunks = await read(agent)
    started, completed = [chunk for chunk in chunks if chunk["type"] == "CUSTOM"]
    assert started["name"] == "structured-output.start" and completed["name"] == "structured-output.complete"
    assert completed["value"] == {"messageId": "m", "raw": raw, "object": {"name": "Ann", "age": 5}}
    assert text(chunks) == raw and tool_calls(chunks) == []


async def test_thoughts_are_streamed_with_their_signature() -> None:
    """Once, although the end of the part repeats it."""
    pieces = [{0: DeltaThinkingPart(content="hm")}, {0: DeltaThinkingPart(signature="sig")}, "done"]
    chunks = await read(Agent(scripted(pieces)))
    assert (thinking(chunks), text(chunks)) == ("hm", "done")
    assert [chunk["encryptedValue"] for chunk in chunks if chunk["type"] == "REASONING_ENCRYPTED_VALUE"] == ["sig"]


async def test_the_models_error_comes_out_as_it_is() -> None:
    """The runner makes public text of it."""

    async def fails(messages: list[Any], info: AgentInfo) -> AsyncIterator[str]:
        yield "half"
        raise RuntimeError("secret")

    with pytest.raises(RuntimeError, match="secret"):
        await read(Agent(FunctionModel(stream_function=fails)))


async def test_a_stop_closes_the_models_stream() -> None:
    """At once, and before the run is over for its caller."""
    started, closed = asyncio.Event(), asyncio.Event()

    async def silent(messages: list[Any], info: AgentInfo) -> AsyncIterator[str]:
        try:
            yield "so "
            started.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    task = asyncio.ensure_future(read(Agent(FunctionModel(stream_function=silent))))
    async with asyncio.timeout(10):
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()


@pytest.mark.parametrize("reason", ["end_turn", "something_new", None])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_cut_stream_of_a_provider_is_an_error(reason: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any finish reason, half an answer must not look whole; a word that nobody knows is one."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    from pydantic_ai.models.bedrock import BedrockConverseModel
    from pydantic_ai.providers.bedrock import BedrockProvider

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event("messageStart", role="assistant")
        await exchange.text("so ", "far")
        if reason is not None:
            await exchange.stop(reason)
        await exchange.close()

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with bedrock_server(script) as served:
        client = boto3.client("bedrock-runtime", region_name="eu-central-1", endpoint_url=served.endpoint_url)
        agent = Agent(BedrockConverseModel("a-model", provider=BedrockProvider(bedrock_client=client)))
        if reason is None:
            with pytest.raises(SourceError, match="broke off"):
                await read(agent)
        else:
            assert text(await read(agent)) == "so far"


async def test_the_dependencies_are_made_for_each_run() -> None:
    """From its context."""
    agent = Agent(scripted([call("who", "{}", "x")], ["done"]), deps_type=str)

    @agent.tool
    def who(ctx: pydantic_ai.RunContext[str]) -> str:
        return ctx.deps

    chunks = await read(agent, deps=lambda run: f"user of {run.data['owner']}", data={"owner": "o"})
    assert results(chunks) == [("x", "user of o")]


def test_an_agent_is_known_without_an_import() -> None:
    """By where its class comes from."""
    assert is_pydantic_agent(Agent(TestModel())) and not is_pydantic_agent(SourceError) and not is_pydantic_agent(5)
