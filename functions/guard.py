"""Keeps web pages of other origins, and other hosts' names, away from a server on a developer's machine.

Without this, any page in the developer's browser could post to the local chat, or read it after rebinding a name of its
own to 127.0.0.1. On Lambda, API Gateway and the authoriser do this work.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})


class LocalGuard:
    """Answers 403 for a foreign ``Host`` or ``Origin``, and 415 for a body that is not ``application/json``."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), origins: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._origins = set(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refusal(scope) if scope["type"] == "http" else None
        if refused is None:
            await self._app(scope, receive, send)
            return
        status, detail = refused
        await JSONResponse({"detail": detail}, status, {"Cache-Control": "no-store"})(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_local(_hostname(f"//{host}")):
            return 403, f"The host {host!r} is not this machine. Add it to CHAT_ALLOWED_HOSTS to serve it."
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and urlsplit(origin).netloc.lower() != host.lower():
            return 403, f"Pages of {origin!r} may not call this server. Add the origin to CHAT_CORS_ORIGINS."
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if scope["method"] in _WRITES and has_body and media_type != "application/json":
            return 415, "Send the body with Content-Type: application/json."
        return None

    def _is_local(self, hostname: str) -> bool:
        if hostname == "localhost" or hostname.endswith(".localhost") or hostname in self._hosts:
            return True
        try:
            return ip_address(hostname).is_loopback
        except ValueError:
            return False


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
