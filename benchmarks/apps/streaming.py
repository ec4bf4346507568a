"""The app that ``benchmarks.runtimes`` runs everywhere: a small answer, and 20 MB in parts of 64 KB."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PART = b"x" * 65_536
PARTS = 305


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer with this process's id, behind the parts if they are asked for."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/large":
        for _ in range(PARTS):
            await send({"type": "http.response.body", "body": PART, "more_body": True})
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": json.dumps({"pid": os.getpid()}).encode()})
