"""The chat in somebody else's FastAPI app: owners, errors, OpenAPI, lifespan and shutdown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header

from resumable_chat import ConfigurationError, ResumableChat, SqliteLog
from resumable_chat.web.owners import PUBLIC, Owner
from resumable_chat.web.router import chat_router, create_app
from resumable_chat.web.routes import ROUTES

from ..chats import records_of, user
from ..servers import free_port


async def answer(messages: Any, context: Any) -> AsyncIterator[Any]:
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "Hi."}


def token(authorization: Annotated[str, Header()] = "") -> str:
    return authorization.removeprefix("Bearer ")


def owner(caller: Annotated[str, Depends(token)]) -> str | None:
    return caller or None


def served(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


def message(chat: str, text: str) -> dict[str, Any]:
    return {"id": chat, "messages": [user("u1", text)]}


async def test_each_caller_has_chats_of_their_own(tmp_path: Path) -> None:
    """The owner is a FastAPI dependency; streams are named as on Lambda; an unknown caller gets a 401."""
    log = SqliteLog(tmp_path / "chat.db")
    chat = ResumableChat(log)
    app = FastAPI()
    app.include_router(chat_router(source=answer, owner=owner, chat=chat))
    async with app.router.lifespan_context(app), served(app) as http:
        ada = {"Authorization": "Bearer ada"}
        assert (await http.post("/api/chat", json=message("c", "mine"), headers=ada)).status_code == 202
        assert await records_of(log, f"{Owner('app', 'ada').key}/c")
        for method, path in (("POST", "/api/chat"), ("GET", "/api/chat/replay?id=c"), ("DELETE", "/api/chat?id=c")):
            body = {"json": message("c", "x")} if method == "POST" else {}
            refused = await http.request(method, path, **body)
            assert refused.status_code == 401 and "Sign in" in refused.json()["detail"]
        assert (await http.delete("/api/chat?id=c", headers={"Authorization": "Bearer bob"})).status_code == 204
    await chat.close()


async def test_an_async_owner_and_one_that_returns_an_owner(tmp_path: Path) -> None:
    """Whatever FastAPI takes as a dependency will do."""

    async def caller() -> Owner:
        return Owner("jwt", "ada", "https://idp.example")

    log = SqliteLog(tmp_path / "chat.db")
    chat = ResumableChat(log)
    app = FastAPI()
    app.include_router(chat_router(source=answer, owner=caller, chat=chat, stream_prefix="p/"))
    async with app.router.lifespan_context(app), served(app) as http:
        assert (await http.post("/api/chat", json=message("c", "mine"))).status_code == 202
        assert await records_of(log, f"p/{Owner('jwt', 'ada', 'https://idp.example').key}/c")
    await chat.close()


async def test_public_chats_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """PUBLIC opens every chat, and logs a warning about it."""
    log = SqliteLog(tmp_path / "chat.db")
    chat = ResumableChat(log)
    app = FastAPI()
    app.include_router(chat_router(source=answer, owner=PUBLIC, chat=chat))
    assert "open to everybody" in caplog.text
    async with app.router.lifespan_context(app), served(app) as http:
        assert (await http.post("/api/chat", json=message("c", "all"))).status_code == 202
        assert await records_of(log, "c")
    await chat.close()


@pytest.mark.parametrize("wrong", [{"owner": None, "source": answer}, {"owner": owner, "source": None}])
def test_what_is_missing_is_named(wrong: Any) -> None:
    """A forgotten owner never means that everything is open."""
    with pytest.raises(ConfigurationError, match=r"owner=|source="):
        chat_router(**wrong)


async def test_the_app_may_start_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The router's own chat is made at the start and closed at the end, each time."""
    monkeypatch.setenv("CHAT_LOG", f"sqlite:///{tmp_path}/chat.db")
    app = create_app(answer, owner=PUBLIC)
    for turn in ("u1", "u2"):
        async with app.router.lifespan_context(app), served(app) as http:
            sent = {"id": "c", "messages": [user(turn, "Hello")]}
            assert (await http.post("/api/chat", json=sent)).status_code == 202


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"{", "JSON"), (b"[]", "object"), (b'{"id":"c"}', "messages"), (b'{"id":7,"messages":[]}', "id")],
)
async def test_errors_have_this_librarys_form(tmp_path: Path, body: bytes, says: str) -> None:
    """400 with a text, and never FastAPI's list of validation errors."""
    chat = ResumableChat(SqliteLog(tmp_path / "chat.db"))
    app = FastAPI()
    app.include_router(chat_router(source=answer, owner=PUBLIC, chat=chat))
    async with served(app) as http:
        refused = await http.post("/api/chat", content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code == 400 and says in refused.json()["detail"]
    await chat.close()


def test_the_document_names_every_route(tmp_path: Path) -> None:
    """OpenAPI has each route with its body or parameters, and no reference that leads nowhere."""
    app = FastAPI()
    app.include_router(chat_router(source=answer, owner=PUBLIC))
    document = app.openapi()
    assert {(route.method.lower(), f"/api{route.path}") for route in ROUTES} == {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    schema = document["paths"]["/api/chat"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"id", "messages"} == set(schema["required"])
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in document["components"]["schemas"]


_APP = """
from fastapi import FastAPI
from resumable_chat.web.owners import PUBLIC
from resumable_chat.web.router import chat_router
from resumable_chat.sources.demo import demo_source

app = FastAPI()
app.include_router(chat_router(source=demo_source, owner=PUBLIC))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_plain_uvicorn_ends_with_readers_open(tmp_path: Path, number: signal.Signals) -> None:
    """An open replay does not keep the server from shutting down, and its end is no traceback."""
    (tmp_path / "mine.py").write_text(_APP)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "mine:app", "--port", str(port), "--log-level", "warning"],
        cwd=tmp_path,
        env={**os.environ, "CHAT_LOG": f"sqlite:///{tmp_path}/chat.db"},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            _read_until_the_server_ends(f"http://127.0.0.1:{port}/api/chat/replay?id=c", server, number)
            _, complaints = server.communicate(timeout=20)
        finally:
            server.kill()
    assert "Traceback" not in complaints


def _read_until_the_server_ends(url: str, server: subprocess.Popen[str], number: signal.Signals) -> None:
    for _ in range(200):
        try:
            with httpx.stream("GET", url, timeout=10) as response:
                parts = response.iter_bytes()
                assert next(parts)
                server.send_signal(number)
                with suppress(httpx.RemoteProtocolError):
                    for _ in parts:
                        pass
            return
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")
