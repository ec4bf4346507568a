"""What users may rely on: adding to it is a decision, removing from it breaks them."""

from __future__ import annotations

import inspect

import resumable_chat
from resumable_chat import ResumableChat, create_resumable_chat


def test_the_public_names() -> None:
    """Exactly these names are public."""
    assert sorted(resumable_chat.__all__) == [
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


def test_the_options_of_the_sources() -> None:
    """What each one that ships with the package can be made with."""
    options = {
        name: list(inspect.signature(getattr(resumable_chat, name)).parameters)
        for name in ("AgentSource", "AguiSource", "BedrockSource", "OpenAISource")
    }
    assert options == {
        "AgentSource": ["agent", "deps"],
        "AguiSource": ["agent", "keep_state", "keep_timestamps", "thread_per_run"],
        "BedrockSource": ["model", "region", "endpoint_url", "request", "system", "timeout", "retries", "backoff"],
        "OpenAISource": [
            "model",
            "api_key",
            "base_url",
            "request",
            "system",
            "timeout",
            "retries",
            "backoff",
            "transport",
        ],
    }


def test_the_history_for_a_model() -> None:
    """Functions for sources of one's own; they are imported by name."""
    from resumable_chat.sources import history

    assert sorted(history.__all__) == ["run_input", "to_ag_ui", "to_model_messages", "to_openai"]
    assert all(getattr(history, name).__doc__ for name in history.__all__)


def test_everything_public_says_what_it_is() -> None:
    """Each public class and function has a docstring."""
    for name in resumable_chat.__all__:
        item = getattr(resumable_chat, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            assert item.__doc__, name
