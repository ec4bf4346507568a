"""Where a completion is asked for, and how."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.sources.openai.request import completions_url, request_body, request_headers


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
        ("http://localhost:11434/v1?key=a", "http://localhost:11434/v1/chat/completions?key=a"),
        (
            "https://x.openai.azure.com/openai/deployments/d/?api-version=2024-10-21",
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        ("https://gateway.example/v1/chat/completions", "https://gateway.example/v1/chat/completions"),
        ("https://gateway.example/v1/chat/completions/?a=1&b=2", "https://gateway.example/v1/chat/completions?a=1&b=2"),
        ("https://gateway.example", "https://gateway.example/chat/completions"),
        ("https://gateway.example/v1#part", "https://gateway.example/v1/chat/completions"),
        (" http://[::1]:8080/v1 ", "http://[::1]:8080/v1/chat/completions"),
    ],
)
def test_the_path_goes_before_the_query(base: str, url: str) -> None:
    """A base URL may have a query, a slash at its end, or the whole path already."""
    assert completions_url(base) == url


def test_the_key_is_sent_as_the_server_takes_it() -> None:
    """Azure takes it in another header too; without a key, no header is sent."""
    assert request_headers("https://x/v1", "k") == {"Authorization": "Bearer k"}
    assert request_headers("https://x.openai.azure.com/v1", "k")["api-key"] == "k"
    assert request_headers("http://localhost/v1", None) == {}


def test_usage_is_asked_for_unless_the_user_set_the_options() -> None:
    """Theirs stay as they are."""

    def options(request: dict[str, Any], *, with_usage: bool = True) -> Any:
        body = request_body([], {"model": "m", **request}, system=None, with_usage=with_usage)
        assert body["stream"] is True and body["model"] == "m"
        return body.get("stream_options")

    assert options({}) == {"include_usage": True}
    assert options({}, with_usage=False) is None
    assert options({"stream_options": {"x": 1}}) == {"x": 1}
    assert options({"stream_options": None}) is None
