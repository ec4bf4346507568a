"""Tabs that read a chat over HTTP, lose their connection now and then, and come back with their cursor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import httpx

_PATIENCE = httpx.Timeout(5.0, read=20.0)
"""A keep-alive comes every 15 s; a reader that hears nothing for longer comes back."""


class Tab:
    """One reader. ``shown`` is what it shows: message ids to ``[role, text]``, in order."""

    def __init__(self, name: str, chat: str, servers: Callable[[], str], random: Random) -> None:
        self.name = name
        self.shown: dict[str, list[str]] = {}
        self.cursor: int | None = None
        self.problems: list[str] = []
        self._chat = chat
        self._servers = servers
        self._random = random

    @property
    def messages(self) -> list[list[str]]:
        """What it shows, without messages that have no text."""
        return [[message_id, role, text] for message_id, (role, text) in self.shown.items() if text]

    async def watch(self) -> None:
        """Follow the chat until cancelled."""
        async with httpx.AsyncClient(timeout=_PATIENCE) as http:
            while True:
                with suppress(httpx.HTTPError, TimeoutError):
                    async with asyncio.timeout(self._random.choice([None, None, 2.0, 8.0])):
                        await self._read(http)
                await asyncio.sleep(self._random.uniform(0.05, 0.5))

    async def _read(self, http: httpx.AsyncClient) -> None:
        asked = {"id": self._chat} | ({} if self.cursor is None else {"from": str(self.cursor)})
        async with http.stream("GET", f"{self._servers()}/api/chat/replay", params=asked) as response:
            if response.status_code != 200:
                return
            buffer = ""
            async for part in response.aiter_text():
                buffer += part
                while "\n\n" in buffer:
                    event, buffer = buffer.split("\n\n", 1)
                    fields = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line and line[0] != ":")
                    if "data" in fields:
                        self._take(int(fields["id"]), json.loads(fields["data"]))

    def _take(self, at: int, chunk: dict[str, Any]) -> None:
        kind, message_id = chunk["type"], chunk.get("messageId")
        if self.cursor is not None and at <= self.cursor and kind != "MESSAGES_SNAPSHOT":
            self.problems.append(f"{self.name} got {kind} {at} after {self.cursor}")
        self.cursor = at
        if kind == "MESSAGES_SNAPSHOT":
            self.shown = {message["id"]: [message["role"], _text(message)] for message in chunk["messages"]}
        elif kind == "TEXT_MESSAGE_START":
            self.shown.setdefault(message_id, [chunk.get("role", "assistant"), ""])
        elif kind == "TEXT_MESSAGE_CONTENT":
            self.shown.setdefault(message_id, ["assistant", ""])[1] += chunk["delta"]

    def reload(self) -> None:
        """Forget everything."""
        self.shown, self.cursor = {}, None


def _text(message: dict[str, Any]) -> str:
    return "".join(part["content"] for part in message["parts"] if part["type"] == "text")


async def snapshot(server: str, chat: str) -> list[list[str]]:
    """Return what a new reader is shown first."""
    tab = Tab("fresh", chat, lambda: server, Random(0))
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(10), httpx.AsyncClient(timeout=_PATIENCE) as http:
            await tab._read(http)
    return tab.messages
