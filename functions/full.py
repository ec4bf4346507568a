"""Says once a minute that connections cannot be accepted for lack of files, where asyncio says so at each attempt."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any, Final

logger = logging.getLogger("resumable_chat.local")

BACKLOG: Final = 128
"""Connections that wait to be accepted. asyncio tries to accept as many at once, also when no file is left."""

_MINUTE: Final = 60.0


def report_full_server() -> None:
    """Have the running event loop report a process without free files in this way."""
    asyncio.get_running_loop().set_exception_handler(_FullServer())


class _FullServer:
    def __init__(self) -> None:
        self._said_at = -_MINUTE

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif loop.time() >= self._said_at + _MINUTE:
            self._said_at = loop.time()
            logger.error("connections wait to be accepted: %s (raise the limit with `ulimit -n`)", error.strerror)
