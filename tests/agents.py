"""Agents for servers in other processes, named by CHAT_SOURCE."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel


async def _stream(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
    last = messages[-1].parts[-1]
    if last.part_kind == "tool-return":
        yield f"You are in {last.content['place']}."
    elif last.content == "Where am I?":
        [offered] = info.function_tools
        yield {0: DeltaToolCall(name=offered.name, json_args='{"exact":true}', tool_call_id="call_0")}
    else:
        yield "Any time."


asks_the_page = Agent(FunctionModel(stream_function=_stream))
