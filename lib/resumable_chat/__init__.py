"""Chat streams that survive everything, stored in a durable log and played back to TanStack AI."""

from typing import TYPE_CHECKING, Any

from .chat import ResumableChat, create_resumable_chat
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

__all__ = [
    "BadRequest",
    "ChatError",
    "Chunk",
    "ConfigurationError",
    "LogError",
    "LogUnavailable",
    "ResumableChat",
    "S2Log",
    "Source",
    "SourceContext",
    "SourceError",
    "SqliteLog",
    "StreamInUse",
    "create_resumable_chat",
]


def __getattr__(name: str) -> Any:
    # The S2 SDK takes a while to import, and who keeps chats in a file needs none of it.
    if name == "S2Log":
        from .log.s2 import S2Log

        return S2Log
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
