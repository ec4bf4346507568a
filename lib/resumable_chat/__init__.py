"""Chat streams that survive everything, stored in a durable log and played back to TanStack AI."""

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

__all__ = [
    "BadRequest",
    "ChatError",
    "Chunk",
    "ConfigurationError",
    "LogError",
    "LogUnavailable",
    "ResumableChat",
    "Source",
    "SourceContext",
    "SourceError",
    "SqliteLog",
    "StreamInUse",
    "create_resumable_chat",
]
