"""Uses what was installed, without the repository: `python smoke.py` exits with 0 if all is well."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any


async def answer(messages: Any, context: Any) -> AsyncIterator[Any]:
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "Hello from the wheel."}


async def use_the_chat(folder: Path) -> None:
    """Send a message and read it back, through an app that has the chat's routes."""
    import httpx

    from resumable_chat import PUBLIC, create_app

    os.environ["CHAT_LOG"] = f"sqlite:///{folder / 'chat.db'}"
    app = create_app(answer, owner=PUBLIC)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        message = {"id": "u1", "role": "user", "parts": [{"type": "text", "content": "Hi"}]}
        sent = await http.post("/api/chat", json={"id": "c", "messages": [message]})
        assert sent.status_code == 202, sent.text
        assert (await http.get("/openapi.json")).status_code == 200
    await _read_back(folder)


async def _read_back(folder: Path) -> None:
    from resumable_chat import create_resumable_chat

    chat = create_resumable_chat()
    response: Any = await chat.replay("c", live=False)
    body = b"".join([part async for part in response.body_iterator])
    snapshot = json.loads(body.split(b"data: ")[1].split(b"\n")[0])
    assert "Hello from the wheel." in json.dumps(snapshot["messages"]), snapshot
    await chat.close()


def use_the_runtime() -> None:
    """Import all that an app uses of the Lambda runtime."""
    import lambda_asgi
    from lambda_asgi import testing

    assert callable(lambda_asgi.wait_until) and testing.LambdaHost


def main() -> None:
    use_the_runtime()
    # Windows removes no file that is still open, and that is not what is tried here.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        asyncio.run(use_the_chat(Path(folder)))


if __name__ == "__main__":
    main()
