"""The code in the README runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from .chats import frames, user

README = (Path(__file__).parent.parent / "README.md").read_text()


def snippet(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


async def test_the_back_end_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten lines are an app that stores a message and its answer."""
    monkeypatch.setenv("CHAT_LOG", f"sqlite:///{tmp_path}/chat.db")
    names: dict[str, Any] = {}
    exec(compile(snippet("python"), "README.md", "exec"), names)  # noqa: S102 - our own text
    app = names["app"]
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        assert (await http.post("/api/chat", json={"id": "c", "messages": [user("u1")]})).status_code == 202
    async with app.router.lifespan_context(app):
        from resumable_chat import create_resumable_chat

        chat = create_resumable_chat()
        response: Any = await chat.replay("c", live=False)
        [(_, snapshot)] = frames(b"".join([part async for part in response.body_iterator]))
        assert snapshot["messages"][-1]["parts"][-1]["content"] == "Hello from Python."
        await chat.close()


def test_the_readme_is_short() -> None:
    """Two screens: what it is, two commands, a picture, code for both ends, and links."""
    assert len(README.splitlines()) <= 110


def test_every_link_leads_somewhere() -> None:
    """Files that the README and the documents link to are there."""
    root = Path(__file__).parent.parent
    for page in [root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
