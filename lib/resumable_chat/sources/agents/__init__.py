"""pydantic-ai agents as sources. Needs the extra ``resumable-chat[agents]``."""

from .source import AgentSource, is_pydantic_agent

__all__ = ["AgentSource", "is_pydantic_agent"]
