"""The head of a streamed response, as Lambda's HTTP integrations read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

RawHeaders = Iterable[tuple[bytes, bytes]]
"""Headers as ASGI has them: bytes, Latin-1 by custom."""

_OF_ONE_CONNECTION: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


def prelude(status: int, headers: RawHeaders) -> dict[str, Any]:
    """Return ``{statusCode, headers, cookies}``, sent before a streamed body; repeated headers are joined."""
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in _OF_ONE_CONNECTION:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return {"statusCode": status, "headers": joined, "cookies": cookies}
