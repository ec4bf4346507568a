"""No page of another origin, and no foreign host name, reaches a server on a developer's machine."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.guard import LocalGuard


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await Request(scope, receive).body()
    await PlainTextResponse("reached")(scope, receive, send)


async def asked(guarded: ASGIApp, method: str, headers: dict[str, str], **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://localhost:8000") as http:
        return await http.request(method, "/api/chat", headers=headers, **request)


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "app.localhost:1"])
async def test_this_machine_is_served(host: str) -> None:
    """Every name of the loopback interface is taken, with any port."""
    assert (await asked(LocalGuard(app), "POST", {**JSON, "host": host}, content=b"{}")).text == "reached"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "192.168.1.7:8000", "", "[::1", "a b"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_foreign_host_is_refused(method: str, host: str) -> None:
    """A name that was rebound to this machine reads and writes nothing, and the text names the setting."""
    refused = await asked(LocalGuard(app), method, {**JSON, "host": host})
    assert refused.status_code == 403 and "CHAT_ALLOWED_HOSTS" in refused.json()["detail"]


async def test_named_hosts_are_served() -> None:
    """CHAT_ALLOWED_HOSTS adds names, whatever their case and port."""
    guarded = LocalGuard(app, hosts=["Dev.example"])
    assert (await asked(guarded, "GET", {"host": "dev.EXAMPLE:8000"})).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9999", "https://localhost:8000.evil"]
)
async def test_a_foreign_origin_is_refused(origin: str) -> None:
    """Also one on another port of this machine, and the opaque one."""
    refused = await asked(LocalGuard(app), "POST", {**JSON, "origin": origin}, content=b"{}")
    assert refused.status_code == 403 and "CHAT_CORS_ORIGINS" in refused.json()["detail"]


async def test_own_and_named_origins_are_served() -> None:
    """The page itself, and the origins of CHAT_CORS_ORIGINS."""
    guarded = LocalGuard(app, origins=["https://app.example"])
    for origin in ("http://localhost:8000", "https://app.example"):
        assert (await asked(guarded, "POST", {**JSON, "origin": origin}, content=b"{}")).status_code == 200


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "", "text/plain;application/json"]
)
async def test_a_simple_request_cannot_write(media_type: str) -> None:
    """What a page may send without a preflight is 415."""
    refused = await asked(LocalGuard(app), "POST", {"content-type": media_type}, content=b"{}")
    assert refused.status_code == 415 and "application/json" in refused.json()["detail"]


async def test_a_request_without_a_body_needs_no_media_type() -> None:
    """A stop has nothing to say; a foreign page is known by its origin."""
    assert (await asked(LocalGuard(app), "POST", {})).status_code == 200
    refused = await asked(LocalGuard(app), "POST", {"origin": "https://evil.example"})
    assert refused.status_code == 403


async def test_json_with_a_charset_is_json() -> None:
    """Parameters of the media type do not matter."""
    sent = await asked(LocalGuard(app), "POST", {"content-type": "Application/JSON; charset=utf-8"}, content=b"{}")
    assert sent.status_code == 200
