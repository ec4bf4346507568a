"""Where a completion is asked for, and how: the URL, the headers and the body of the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

_PATH: Final = "/chat/completions"


def completions_url(base_url: str) -> str:
    """Return the URL to post to; a query, as Azure's ``?api-version=…``, stays behind the path.

    Raises ValueError unless ``base_url`` is an http or https URL with a host.
    """
    parts = urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(
            f"{base_url!r} must begin with https:// or http://, and name a host and, if any, a usable port"
        )
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_PATH) else path + _PATH, fragment=""))


def request_headers(url: str, api_key: str | None) -> dict[str, str]:
    """Return the headers of a request with this key. Raises ValueError if a header cannot carry the key."""
    if not api_key:
        return {}
    if not (api_key.isascii() and api_key.isprintable()):
        raise ValueError("the API key has characters that an HTTP header cannot carry; was it copied whole?")
    headers = {"Authorization": f"Bearer {api_key}"}
    if (urlsplit(url).hostname or "").endswith(".azure.com"):
        headers["api-key"] = api_key
    return headers


def request_body(
    messages: Sequence[Mapping[str, Any]], request: Mapping[str, Any], *, system: str | None, with_usage: bool
) -> dict[str, Any]:
    """Return the body of a streamed request. ``request`` has the model and options; its ``stream_options`` stay."""
    from ..history import to_openai  # behind the first response to a send, not before it

    body = {**request, "stream": True, "messages": to_openai(messages, system=system)}
    if with_usage and "stream_options" not in body:
        body["stream_options"] = {"include_usage": True}
    return body
