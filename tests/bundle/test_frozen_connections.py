"""Environments frozen for longer than their connections to the log live, on S2 Lite."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from s2_sdk import S2, BasinConfig, Endpoints

from ..servers import Lite
from .deployment import Reader, deployed, message, words

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif("S2_LITE" not in os.environ, reason="needs S2 Lite: run `make test-s2`"),
]


async def test_a_frozen_connection_to_the_log_recovers(tmp_path: Path) -> None:
    """A server that went away and came back while all was frozen costs the next requests nothing."""
    basin = f"chat-{uuid.uuid4().hex[:12]}"
    server = Lite(tmp_path)
    await server.start()
    try:
        async with S2("ignored", endpoints=Endpoints(server.endpoint, server.endpoint)) as s2:
            await s2.create_basin(basin, config=BasinConfig(create_stream_on_append=True, create_stream_on_read=True))
        environ = {
            "S2_ACCESS_TOKEN": "ignored",
            "S2_BASIN": basin,
            "S2_ACCOUNT_ENDPOINT": server.endpoint,
            "S2_BASIN_ENDPOINT": server.endpoint,
        }
        async with deployed(environ, replay=4) as (host, client):
            for turn in range(2):
                asked = message("say 3 every 0.05", f"u{turn}")
                sent = await client.post("/api/chat", json={"id": "c", "messages": [asked]})
                assert sent.status_code == 202, sent.text
                await host.at_rest("send")
                chunks = await Reader(client, "c").until("MESSAGES_SNAPSHOT")
                assert [len(chunks[0]["messages"]), chunks[0]["messages"][-1]["parts"][0]["content"]] == [
                    2 * turn + 2,
                    words(3),
                ]
                await host.at_rest("replay")
                server.kill()
                await server.start()
            for name in ("send", "replay"):
                assert [found.invocations for found in host.environments(name)] == [2]
                assert "ERROR" not in host.output(name), host.output(name)
    finally:
        server.kill()
