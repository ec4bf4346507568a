"""Chat streams that survive everything, stored in a durable log and played back to TanStack AI."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BadRequest,
    ChatError,
    ConfigurationError,
    LogError,
    LogUnavailable,
    StreamInUse,
)
from .log.sqlite import SqliteLog
from .sources.port import Chunk, Source, SourceContext, SourceError

if TYPE_CHECKING:
    from .log.s2 import S2Log
    from .sources.agents import AgentSource
    from .sources.agui import AguiSource
    from .sources.bedrock import BedrockError, BedrockSource
    from .sources.openai import OpenAISource
    from .web.chat import ResumableChat, create_resumable_chat
    from .web.owners import PUBLIC, Owner
    from .web.router import chat_router, create_app

__all__ = [
    "PUBLIC",
    "AgentSource",
    "AguiSource",
    "BadRequest",
    "BedrockError",
    "BedrockSource",
    "ChatError",
    "Chunk",
    "ConfigurationError",
    "LogError",
    "LogUnavailable",
    "OpenAISource",
    "Owner",
    "ResumableChat",
    "S2Log",
    "Source",
    "SourceContext",
    "SourceError",
    "SqliteLog",
    "StreamInUse",
    "chat_router",
    "create_app",
    "create_resumable_chat",
]

# Starlette, the S2 SDK and the sources take a while to import, and not every user of the package needs them.
_LAZY = {
    "PUBLIC": ".web.owners",
    "AgentSource": ".sources.agents",
    "AguiSource": ".sources.agui",
    "BedrockError": ".sources.bedrock",
    "BedrockSource": ".sources.bedrock",
    "OpenAISource": ".sources.openai",
    "Owner": ".web.owners",
    "ResumableChat": ".web.chat",
    "S2Log": ".log.s2",
    "chat_router": ".web.router",
    "create_app": ".web.router",
    "create_resumable_chat": ".web.chat",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        try:
            return getattr(import_module(_LAZY[name], __name__), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("fastapi", "starlette"):
                raise
            raise ImportError(f"resumable_chat.{name} needs FastAPI: pip install 'resumable-chat[web]'.") from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
