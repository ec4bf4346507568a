"""The chat page beside the API: what is served where, and how long it may be kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.page import Page

NAVIGATION = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Chat</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-abc123.js").write_text("console.log(1)")
    return tmp_path


class Browser:
    """Asks an app for one thing after the other."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("GET", path, **request)

    def post(self, path: str) -> httpx.Response:
        return self.ask("POST", path)


def browser(directory: Path) -> Browser:
    app = FastAPI(openapi_url=None)

    @app.post("/api/chat")
    async def send() -> str:
        return "sent"

    app.router.default = Page(directory)
    return Browser(app)


@pytest.mark.parametrize("path", ["/", "/chat/abc", "/chat/v1.2:x", "/anything/"])
def test_every_address_a_browser_goes_to_is_the_page(dist: Path, path: str) -> None:
    """The page is asked for again each time, and loads nothing from elsewhere."""
    answer = browser(dist).get(path, headers=NAVIGATION)
    assert answer.status_code == 200 and "<title>Chat" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_hashed_files_are_kept_and_others_are_asked_for_again(dist: Path) -> None:
    """A file whose name has its hash never changes; the icon may."""
    client = browser(dist)
    script = client.get("/assets/index-abc123.js")
    assert script.status_code == 200 and script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-type"].startswith("text/javascript")
    icon = client.get("/icon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    again = client.get("/icon.svg", headers={"if-none-match": icon.headers["etag"]})
    assert again.status_code == 304


def test_a_file_that_is_not_there_is_no_page(dist: Path) -> None:
    """A script of an older build must fail as a script, not come as HTML, not even if it is navigated to."""
    client = browser(dist)
    assert client.get("/assets/index-old.js", headers=NAVIGATION).status_code == 404
    assert client.get("/favicon.ico").status_code == 404
    assert client.get("/../pyproject.toml").status_code == 404
    assert client.get("/%2e%2e/pyproject.toml").status_code == 404


def test_the_api_stays_as_it_is(dist: Path) -> None:
    """Wrong paths and methods of the API get its own answers, whoever asks."""
    client = browser(dist)
    assert client.post("/api/chat").json() == "sent"
    assert client.get("/api/chat", headers=NAVIGATION).status_code == 405
    missing = client.get("/api/other", headers=NAVIGATION)
    assert missing.status_code == 404 and missing.json() == {"detail": "Not Found"}
    assert client.post("/chat/abc").status_code == 404


def test_without_a_build_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    """The API is up all the same."""
    client = browser(tmp_path / "dist")
    answer = client.get("/chat/abc", headers=NAVIGATION)
    assert answer.status_code == 200 and "make dev" in answer.text and "Node" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert client.post("/api/chat").json() == "sent"
