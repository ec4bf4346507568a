"""The functions with SnapStart: two environments restored from one state share nothing but the log."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .deployment import Reader, deployed, message, words

pytestmark = pytest.mark.timeout(120)


async def test_two_restored_senders_chat_apart(tmp_path: Path) -> None:
    """Both hold their stream with a token of their own, write at once, and every word is there."""
    database = tmp_path / "chat.db"
    environ = {"CHAT_LOG": f"sqlite:///{database}", "CHAT_LEASE_MS": "3000", "SCRIPT_GATES": str(tmp_path)}
    asked = [message("say 1 every 0 await go say 2 every 0")]
    async with deployed(environ, snap_start=0.2) as (host, client):
        sent = [client.post("/api/chat", json={"id": chat, "messages": asked}) for chat in ("one", "other")]
        assert [answer.status_code for answer in await asyncio.gather(*sent)] == [202, 202]
        assert len(host.environments("send")) == 2
        with closing(sqlite3.connect(database)) as log:
            tokens = [token for (token,) in log.execute("SELECT token FROM streams")]
        assert len({*tokens}) == 2 and all(tokens)
        (tmp_path / "go").touch()
        await host.at_rest("send")
        for chat in ("one", "other"):
            shown = (await Reader(client, chat).until("MESSAGES_SNAPSHOT"))[0]["messages"]
            assert shown[-1]["parts"] == [{"type": "text", "content": words(3)}]
