"""Claude through Anthropic's own API, with its thoughts shown.

    make dev EXTRAS=agents CHAT_SOURCE=examples.anthropic.agent:agent ANTHROPIC_API_KEY=…

A model without tools or settings needs no code: CHAT_MODEL=anthropic:claude-sonnet-4-5.
"""

import os

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModelSettings

agent = Agent(
    os.environ.get("AGENT_MODEL") or "anthropic:claude-sonnet-4-5",
    instructions="Answer briefly.",
    model_settings=AnthropicModelSettings(
        max_tokens=8_000,
        anthropic_thinking={"type": "enabled", "budget_tokens": 2_000},
    ),
    defer_model_check=True,  # the key is looked for by the first run
)
