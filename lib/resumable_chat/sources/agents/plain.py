"""A pydantic-ai agent that is nothing but a model of one provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model


def plain_agent(provider: str, model: str, *, api_key: str, system: str = "") -> Agent[Any, str]:
    """Return an agent without tools. ``provider`` is "anthropic" or "google". Imports their library."""
    from pydantic_ai import Agent

    return Agent(_model(provider, model, api_key), instructions=system or None)


def _model(provider: str, model: str, api_key: str) -> Model:
    if provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(model, provider=AnthropicProvider(api_key=api_key))
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(model, provider=GoogleProvider(api_key=api_key))
