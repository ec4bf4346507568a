"""Agents that speak AG-UI pass through a filter; the real adapters run here on offline models."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from resumable_chat import SourceContext
from resumable_chat.sources.agui import AguiSource, EventFilter, is_agui_agent
from resumable_chat.sources.errors import SourceError
from resumable_chat.sources.port import iterate

from .answers import text, tool_calls

CONTEXT = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")
HI = {"id": "u", "role": "user", "content": "hi"}
STARTED = {"type": "RUN_STARTED", "runId": "theirs", "threadId": "theirs"}
FINISHED = {"type": "RUN_FINISHED", "runId": "theirs", "threadId": "theirs"}


def filtered(*events: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    events_filter = EventFilter(CONTEXT, **options)
    return [chunk for event in events for chunk in events_filter.feed(event)]


def test_copies_and_snapshots_are_dropped() -> None:
    """Nine tenths of what ag-ui-langgraph sends."""
    content = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": "a", "rawEvent": {"a": 1}, "timestamp": 5}
    chunks = filtered(
        {**STARTED, "input": {"messages": []}},
        {"type": "RAW", "event": {}},
        {"type": "MESSAGES_SNAPSHOT", "messages": []},
        {"type": "STATE_SNAPSHOT", "snapshot": {}},
        {"type": "STATE_DELTA", "delta": []},
        content,
        FINISHED,
    )
    ours = {"runId": "r", "threadId": "t"}
    assert chunks == [
        {"type": "RUN_STARTED", **ours},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "a"},
        {"type": "RUN_FINISHED", **ours},
    ]


def test_the_last_state_and_the_timestamps_are_kept_if_asked() -> None:
    """The state once, before the end."""
    states = [{"type": "STATE_SNAPSHOT", "snapshot": {"n": n}, "timestamp": n} for n in (1, 2)]
    chunks = filtered(STARTED, *states, FINISHED, keep_state=True, keep_timestamps=True)
    assert chunks[1:-1] == [states[1]]


def test_the_first_assistant_message_gets_our_id() -> None:
    """Wherever it is named; later messages, thoughts and results keep theirs."""
    chunks = filtered(
        {"type": "TEXT_MESSAGE_START", "messageId": "q", "role": "user"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "a", "delta": "hm"},
        {"type": "TEXT_MESSAGE_START", "messageId": "a", "role": "assistant"},
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": "a"},
        {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "a", "content": "1"},
        {"type": "TEXT_MESSAGE_START", "messageId": "b", "role": "assistant"},
    )
    assert [chunk.get("parentMessageId", chunk.get("messageId")) for chunk in chunks] == ["q", "a", "m", "m", "a", "b"]


def test_interrupts_are_kept() -> None:
    """They are how an agent asks."""
    outcome = {"type": "interrupt", "interrupts": [{"id": "i", "reason": "confirmation"}]}
    assert filtered({**FINISHED, "outcome": outcome})[0]["outcome"] == outcome


class Scripted:
    """An agent that yields what it is given."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.inputs: list[Any] = []
        self.closed = False

    async def run(self, given: Any) -> AsyncIterator[Any]:
        self.inputs.append(given)
        try:
            for event in self.events:
                yield event
        finally:
            self.closed = True


async def read(agent: Any, *messages: Any, **options: Any) -> list[dict[str, Any]]:
    given = list(messages) or [HI]
    return [chunk async for chunk in iterate(AguiSource(agent, **options), given, CONTEXT)]


async def test_an_agents_error_is_ours_to_tell() -> None:
    """Its text, often the provider's, is for the log; what the public sees is ``on_error``'s."""
    pytest.importorskip("ag_ui", reason="ag-ui-protocol is not installed")
    with pytest.raises(SourceError, match="secret text"):
        await read(Scripted(STARTED, {"type": "RUN_ERROR", "message": "secret text"}))


async def test_a_run_without_an_end_is_an_error() -> None:
    """Half an answer must not look whole."""
    pytest.importorskip("ag_ui", reason="ag-ui-protocol is not installed")
    with pytest.raises(SourceError, match="RUN_FINISHED"):
        await read(Scripted(STARTED, {"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": "half"}))


async def test_the_agent_gets_the_conversation_and_is_closed() -> None:
    """In the chat's thread, unless it keeps a memory of its own."""
    pytest.importorskip("ag_ui", reason="ag-ui-protocol is not installed")
    agent = Scripted(STARTED, FINISHED)
    await read(agent)
    await read(agent, thread_per_run=True)
    assert [given.thread_id for given in agent.inputs] == ["t", "t:r"]
    assert agent.inputs[0].messages[0].content == "hi" and agent.closed


def test_an_agent_is_known_by_its_looks() -> None:
    """``run``, and neither a function nor a class."""
    assert is_agui_agent(Scripted())
    assert not is_agui_agent(Scripted) and not is_agui_agent(lambda messages: []) and not is_agui_agent(5)


@pytest.mark.filterwarnings("ignore")
async def test_langgraph_passes_through() -> None:
    """Two runs of one graph with checkpoints: text, a tool's call and result, no copies, nothing twice."""
    pytest.importorskip("ag_ui_langgraph", reason="ag-ui-langgraph is not installed")
    from ag_ui_langgraph import LangGraphAgent
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGenerationChunk
    from langchain_core.tools import tool
    from langgraph.checkpoint.memory import MemorySaver
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    seen = []

    class Model(GenericFakeChatModel):
        def _stream(self, messages: Any, *arguments: Any, **keywords: Any) -> Any:
            if len(messages) > 1:
                yield from super()._stream(messages, *arguments, **keywords)
                return
            for piece in ({"name": "f", "args": "", "id": "c1"}, {"name": None, "args": '{"a": 1}', "id": None}):
                call = {**piece, "index": 0, "type": "tool_call_chunk"}
                yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))

    model = Model(messages=iter([AIMessage("one two"), AIMessage("three four")]))

    async def think(state: Any) -> Any:
        seen.append([message.content for message in state["messages"]])
        return {"messages": [await model.ainvoke(state["messages"])]}

    @tool
    async def f(a: int) -> str:
        """A tool."""
        return "result"

    def wants_tool(state: Any) -> str:
        return "act" if getattr(state["messages"][-1], "tool_calls", None) else END

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("act", ToolNode([f]))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", wants_tool)
    graph.add_edge("act", "think")
    agent = LangGraphAgent(name="a", graph=graph.compile(checkpointer=MemorySaver()))
    assert is_agui_agent(agent)

    first = await read(agent)
    assert text(first) == "one two" and tool_calls(first) == [["f", '{"a": 1}']]
    assert [chunk["content"] for chunk in first if chunk["type"] == "TOOL_CALL_RESULT"] == ["result"]
    assert len(json.dumps(first)) < 4_000 and not any("rawEvent" in chunk for chunk in first)
    assert {chunk.get("runId", "r") for chunk in first} == {"r"}
    answer = {"id": "m", "role": "assistant", "parts": [{"type": "text", "content": "one two"}]}
    source = AguiSource(agent)
    second_context = SourceContext(stream="s", run_id="r2", thread_id="t", message_id="m2")
    history = [HI, answer, {"id": "u2", "role": "user", "content": "more"}]
    second = [chunk async for chunk in iterate(source, history, second_context)]
    assert text(second) == "three four"
    assert seen[-1] == ["hi", "one two", "more"]


@pytest.mark.filterwarnings("ignore")
async def test_strands_passes_through() -> None:
    """An agent with a tool, on a model that is scripted."""
    pytest.importorskip("ag_ui_strands", reason="ag-ui-strands is not installed")
    from ag_ui_strands import StrandsAgent, StrandsAgentConfig
    from strands import Agent, tool
    from strands.models import Model

    class Scripted(Model):
        def update_config(self, **config: Any) -> None: ...

        def get_config(self) -> Any:
            return {}

        def structured_output(self, *arguments: Any, **keywords: Any) -> Any:
            raise NotImplementedError

        async def stream(self, messages: Any, *arguments: Any, **keywords: Any) -> Any:
            asked = any("toolResult" in block for message in messages for block in message["content"])
            yield {"messageStart": {"role": "assistant"}}
            if asked:
                yield {"contentBlockStart": {"start": {}}}
                for piece in ("it is ", "7"):
                    yield {"contentBlockDelta": {"delta": {"text": piece}}}
            else:
                yield {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "c1", "name": "add"}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"a": 3, "b": 4}'}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn" if asked else "tool_use"}}

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    strands = Agent(model=Scripted(), tools=[add], callback_handler=None)
    agent = StrandsAgent(agent=strands, name="a", config=StrandsAgentConfig(emit_messages_snapshot=False))
    assert is_agui_agent(agent)
    chunks = await read(agent)
    assert text(chunks) == "it is 7"
    assert [name for name, _ in tool_calls(chunks)] == ["add"]
    assert any(chunk["type"] == "TOOL_CALL_RESULT" and "7" in chunk["content"] for chunk in chunks)
