"""A pydantic-ai agent with two tools. One runs at once, the other only after the user approves the call.

    make dev EXTRAS=agents CHAT_SOURCE=examples.pydantic_ai.agent:agent

AGENT_MODEL names the model, for example ``bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0`` (with its region in
AWS_DEFAULT_REGION). Without it, pydantic-ai's test model answers: it needs no key, and calls every tool with made-up
arguments.
"""

import os

from pydantic_ai import Agent

ORDERS = {"A-1001": "shipped", "A-1002": "being packed"}

agent = Agent(
    os.environ.get("AGENT_MODEL") or "test",
    instructions="Answer questions about orders. Their numbers look like A-1001.",
)


@agent.tool_plain
def look_up_order(number: str) -> str:
    """Return the state of an order."""
    return ORDERS.get(number, "There is no order with this number.")


@agent.tool_plain(requires_approval=True)
def cancel_order(number: str) -> str:
    """Cancel an order."""
    if ORDERS.get(number) == "shipped":
        return "It is too late: the order has been shipped."
    return "The order is cancelled." if ORDERS.pop(number, None) else "There is no order with this number."
