"""Models for servers in other processes, named by CHAT_SOURCE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any


async def silent(messages: Any, context: Any) -> AsyncIterator[dict[str, Any]]:
    """Never says a word."""
    await asyncio.Event().wait()
    yield {}


async def slow(messages: Any, context: Any) -> AsyncIterator[dict[str, Any]]:
    """One word every 0.7 seconds, 30 times."""
    for index in range(30):
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"word{index} "}
        await asyncio.sleep(0.7)
