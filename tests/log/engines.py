"""The engines that the contract of the log port, and the protocol on it, are checked on.

SQLite always; S2 when S2_TEST_ENDPOINT names a server of S2 Lite, which `make test-s2` starts.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from s2_sdk import S2, BasinConfig, Encryption, Endpoints

from resumable_chat.log.port import Log
from resumable_chat.log.s2 import S2Log
from resumable_chat.log.sqlite import SqliteLog

Engine = Callable[[Path], AbstractAsyncContextManager[Log]]


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[Log]:
    log = SqliteLog(folder / "log.db")
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def _s2(folder: Path) -> AsyncIterator[Log]:
    log = S2Log(access_token="ignored", basin=await fresh_basin(), endpoints=(S2_ENDPOINT, S2_ENDPOINT))
    try:
        yield log
    finally:
        await log.close()


async def fresh_basin(
    *, create_streams: bool = True, stream_cipher: Encryption | None = None, endpoint: str = "", name: str = ""
) -> str:
    """A new basin on the test server, or on the one at ``endpoint``."""
    name = name or f"test-{uuid.uuid4().hex[:16]}"
    endpoint = endpoint or S2_ENDPOINT
    async with S2("ignored", endpoints=Endpoints(endpoint, endpoint)) as client:
        config = BasinConfig(
            create_stream_on_append=create_streams, create_stream_on_read=create_streams, stream_cipher=stream_cipher
        )
        await client.create_basin(name, config=config)
    return name


S2_ENDPOINT = os.environ.get("S2_TEST_ENDPOINT", "")

ENGINES: dict[str, Engine] = {"sqlite": _sqlite, **({"s2": _s2} if S2_ENDPOINT else {})}
