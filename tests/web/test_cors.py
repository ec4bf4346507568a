"""Pages of the named origins may call the chat, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from resumable_chat import ConfigurationError
from resumable_chat.settings import Settings
from resumable_chat.web.cors import ALLOWED_HEADERS, Cors

from ..servers import local_server

EVENTS = Path(__file__).parents[2] / "events"
APP, OTHER, EVIL = "https://app.example.com", "http://localhost:5173", "https://evil.example.com"

_INVOKE = """
import importlib, json, sys
app = importlib.import_module(f"functions.{sys.argv[1]}.app")
print(json.dumps(app.handler(json.load(sys.stdin), None)))
"""


async def answered(headers: Mapping[str, str], *, method: str = "GET", event: Any = None) -> dict[str, str]:
    """The headers of an answer that went through the middleware."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Message] = []

    async def collect(message: Message) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw, **({"aws.event": event} if event else {})}
    await Cors(app, lambda: (APP, OTHER))(scope, None, collect)  # type: ignore[arg-type]
    return {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize("origin", [APP, OTHER])
async def test_a_named_origin_is_allowed_by_name(origin: str) -> None:
    """Each gets its own name back, never ``*``, and no leave to send cookies."""
    headers = await answered({"Origin": origin})
    assert headers["access-control-allow-origin"] == origin and "Origin" in headers["vary"]
    assert "access-control-allow-credentials" not in headers


async def test_another_origin_is_not_allowed() -> None:
    """Neither in an answer nor in a preflight."""
    assert "access-control-allow-origin" not in await answered({"Origin": EVIL})
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in await answered(asked, method="OPTIONS")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_preflight_allows_what_the_client_sends(method: str) -> None:
    """Every header that the chat's clients use."""
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ",".join(ALLOWED_HEADERS).lower(),
    }
    headers = await answered(asked, method="OPTIONS")
    assert headers["access-control-allow-origin"] == APP and method in headers["access-control-allow-methods"]


async def test_behind_a_function_url_the_url_adds_the_headers() -> None:
    """Twice the same header is an error in browsers."""
    for kind, adds in (("rest", True), ("url", False)):
        event = json.loads((EVENTS / f"replay-{kind}.json").read_text())
        assert ("access-control-allow-origin" in await answered({"Origin": APP}, event=event)) is adds


@pytest.mark.parametrize("function", ["send", "replay", "stop"])
def test_every_function_has_it(function: str, tmp_path: Path) -> None:
    """An answer of each handler, an error too, can be read by the page."""
    event = json.loads((EVENTS / f"{function}-rest.json").read_text())
    event["requestContext"]["authorizer"] = None
    done = subprocess.run(
        [sys.executable, "-c", _INVOKE, function],
        input=json.dumps(event),
        env={**os.environ, "CHAT_CORS_ORIGINS": APP, "CHAT_AUTH": "required", "CHAT_LOG": f"sqlite:///{tmp_path}/c.db"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    answer = json.loads(done.stdout)
    assert answer["statusCode"] == 401 and answer["headers"]["access-control-allow-origin"] == APP, done.stderr


async def test_a_page_of_another_origin_uses_the_chat(tmp_path: Path) -> None:
    """Over HTTP: the preflight, the answer, the stream, an error."""
    with local_server(tmp_path / "chat.db", CHAT_CORS_ORIGINS=f"{APP}, {OTHER}") as (base, _):
        async with httpx.AsyncClient(base_url=base, headers={"Origin": OTHER}, timeout=20) as http:
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            preflight = await http.options("/api/chat", headers=asked)
            refused = await http.post("/api/chat", json={"id": "!"})
            async with http.stream("GET", "/api/chat/replay?id=c1") as streamed:
                answers = [preflight, refused, streamed]
                assert [answer.status_code for answer in answers] == [200, 400, 200]
                assert {answer.headers.get("access-control-allow-origin") for answer in answers} == {OTHER}


@pytest.mark.parametrize("origins", ["*", f"{APP},*", "app.example.com", f"{APP}/", "null"])
def test_an_origin_that_cannot_be_right_is_refused(origins: str) -> None:
    """Everybody is not an origin."""
    with pytest.raises(ConfigurationError, match="CHAT_CORS_ORIGINS"):
        Settings.from_environ({"CHAT_CORS_ORIGINS": origins})


def test_origins_are_listed_with_commas() -> None:
    """Blanks and empty places do not count, as a template may leave them."""
    assert Settings.from_environ({"CHAT_CORS_ORIGINS": f" {APP}, ,{OTHER},"}).cors_origins == (APP, OTHER)
    assert Settings.from_environ({"CHAT_CORS_ORIGINS": ""}).cors_origins == ()
