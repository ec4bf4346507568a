"""The engines that the contract of the log port is checked on. A new engine adds one entry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from resumable_chat.log.port import Log
from resumable_chat.log.sqlite import SqliteLog

Engine = Callable[[Path], AbstractAsyncContextManager[Log]]


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[Log]:
    log = SqliteLog(folder / "log.db")
    try:
        yield log
    finally:
        await log.close()


ENGINES: dict[str, Engine] = {"sqlite": _sqlite}
