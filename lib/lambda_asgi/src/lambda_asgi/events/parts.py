"""Parts of requests and answers that all kinds of events share."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

_TEXT_TYPES: Final = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/jsonl",
        "application/ndjson",
        "application/sql",
        "application/toml",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_TEXT_SUFFIXES: Final = ("+json", "+xml", "+yaml", "+json-seq")

Header = tuple[str, str]


def request_body(event: Mapping[str, Any]) -> bytes:
    """Return the request's body. Raises ValueError if its base64 is broken."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(body)
    return body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass")


def answer_body(body: bytes, headers: Sequence[Header]) -> tuple[str, bool]:
    """Return the body as an answer carries it, and whether that is base64."""
    named = {name.lower(): value for name, value in headers}
    if not body:
        return "", False
    if "content-encoding" not in named and is_text(named.get("content-type", "")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def is_text(content_type: str) -> bool:
    """Return whether a body of this type is text in UTF-8, which needs no base64."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    charset = parameters.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        return False
    return media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith(_TEXT_SUFFIXES)


def app_path(path: Any, base_path: str) -> str:
    """Return the decoded path without the base path, which is taken off at a slash only."""
    path = path if isinstance(path, str) and path else "/"
    base = "/" + base_path.strip("/")
    if base != "/" and (path == base or path.startswith(base + "/")):
        path = path[len(base) :] or "/"
    return unquote(path)


def server(headers: Sequence[Header]) -> tuple[str, int]:
    """Return the name and port that the client asked for; 443 where it does not say."""
    named = dict(headers)
    host, forwarded = named.get("host", ""), named.get("x-forwarded-port", "")
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        return name, int(port)
    return host or "localhost", int(forwarded) if forwarded.isdecimal() else 443


def single(headers: Any) -> list[Header]:
    """Return the headers of an event that has one value for each name."""
    return [(str(name).lower(), _text(value)) for name, value in (headers or {}).items() if value is not None]


def multiple(headers: Any) -> list[Header]:
    """Return the headers of an event that has a list of values for each name."""
    return [
        (str(name).lower(), _text(value))
        for name, values in (headers or {}).items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
