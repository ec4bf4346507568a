"""A Strands agent with a tool, through AG-UI's adapter.

    make dev EXTRAS=ag-ui PACKAGES='ag-ui-strands==1.0.2' CHAT_SOURCE=examples.strands.agent:agent

AGENT_MODEL is the id of a model of Bedrock, for example ``amazon.nova-lite-v1:0``. Without it, a scripted model adds
two numbers, and needs no account.
"""

import os
from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput
from ag_ui_strands import StrandsAgent, StrandsAgentConfig
from strands import Agent, tool
from strands.models import BedrockModel, Model


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Scripted(Model):
    """Calls the tool once, and then says what came of it."""

    def get_config(self) -> dict[str, Any]:
        return {}

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def structured_output(self, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        results = [block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block]
        yield {"messageStart": {"role": "assistant"}}
        if results:
            yield {"contentBlockStart": {"start": {}}}
            for piece in ("The sum is ", results[0]["content"][0]["text"], "."):
                yield {"contentBlockDelta": {"delta": {"text": piece}}}
        else:
            yield {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "add-1", "name": "add"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"a": 3, "b": 4}'}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if results else "tool_use"}}


class Runs:
    """Runs a new agent for each answer: the chat's log already holds the conversation."""

    def run(self, given: RunAgentInput) -> Any:
        model = BedrockModel(model_id=name) if (name := os.environ.get("AGENT_MODEL")) else Scripted()
        agent = Agent(model=model, tools=[add], system_prompt="You are good at sums.", callback_handler=None)
        config = StrandsAgentConfig(emit_messages_snapshot=False)
        return StrandsAgent(agent=agent, name="sums", config=config).run(given)


agent = Runs()
