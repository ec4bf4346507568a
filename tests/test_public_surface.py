"""What users may rely on: adding to it is a decision, removing from it breaks them."""

from __future__ import annotations

import inspect

import resumable_chat
from resumable_chat import ResumableChat, create_resumable_chat


def test_the_public_names() -> None:
    """Exactly these names are public."""
    assert sorted(resumable_chat.__all__) == [
        "BadRequest",
        "ChatError",
        "Chunk",
        "ConfigurationError",
        "LogError",
        "LogUnavailable",
        "Owner",
        "PUBLIC",
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
    assert all(hasattr(resumable_chat, name) for name in resumable_chat.__all__)


def test_the_public_signatures() -> None:
    """The options of the factory and of the chat's methods."""
    named = {
        function.__name__: [name for name in inspect.signature(function).parameters if name != "self"]
        for function in (
            create_resumable_chat,
            ResumableChat.make_session_response,
            ResumableChat.make_resumable,
            ResumableChat.replay,
            ResumableChat.stop_session,
            ResumableChat.close,
        )
    }
    assert named == {
        "create_resumable_chat": [
            "log",
            "access_token",
            "basin",
            "endpoints",
            "encryption_key",
            "mode",
            "enable_stop",
            "lease_duration_ms",
            "foreign_lease_duration_ms",
            "on_error",
            "batch_size",
            "linger_duration_ms",
            "environ",
        ],
        "make_session_response": [
            "stream",
            "messages",
            "source",
            "wait_until",
            "run_id",
            "seen",
            "data",
            "thread_id",
            "deadline",
            "parent_run_id",
            "resume",
            "tools",
        ],
        "make_resumable": ["stream", "chunks", "delivery", "wait_until", "run_id", "thread_id", "deadline"],
        "replay": ["stream", "from_seq_num", "live", "deadline"],
        "stop_session": ["stream", "run_id"],
        "close": [],
    }


def test_everything_public_says_what_it_is() -> None:
    """Each public class and function has a docstring."""
    for name in resumable_chat.__all__:
        item = getattr(resumable_chat, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            assert item.__doc__, name
