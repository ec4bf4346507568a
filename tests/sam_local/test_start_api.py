"""A chat through ``sam local start-api``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from ..bundle.deployment import message
from ..chats import frames
from ..servers import free_port
from .conftest import ROOT, sam_environ, sam_local

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("log")]


@asynccontextmanager
async def local_api(output: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API of `sam local start-api`, and a client of it."""

    def said() -> str:
        return output.read_text(errors="replace")

    port = free_port()
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *sam_local("start-api", "--port", str(port)), cwd=ROOT, env=sam_environ(), stdout=log, stderr=log
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=180) as client:
            async with asyncio.timeout(120):
                while "CTRL+C" not in said():
                    assert process.returncode is None, said()
                    await asyncio.sleep(0.2)
            yield client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(60):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        sys.stdout.write(said())  # shown with a test that failed


async def test_a_chat(tmp_path: Path) -> None:
    """Send answers once all is stored, the replay has it, and a stop from another container ends an answer."""
    async with local_api(tmp_path / "sam.log") as client:
        sent = await client.post("/api/chat", json={"id": "tour-1", "messages": [message("Hello")]})
        assert sent.status_code == 202
        replayed = await client.get("/api/chat/replay", params={"id": "tour-1"})
        shown = frames(replayed.content)[0][1]["messages"]
        assert [found["role"] for found in shown] == ["user", "assistant"]
        assert "You said **Hello**" in json.dumps(shown[1]["parts"])

        asked = {"id": "long-1", "messages": [message("Tell me something long")]}
        sending = asyncio.create_task(client.post("/api/chat", json=asked))
        async with asyncio.timeout(120):
            while (stopped := await client.delete("/api/chat", params={"id": "long-1"})).status_code == 204:
                assert not sending.done()
                await asyncio.sleep(0.2)
        assert stopped.status_code == 202
        assert (await sending).status_code == 202
        assert (await client.delete("/api/chat", params={"id": "long-1"})).status_code == 204
