"""The three functions and the chat page behind one local server: `make dev`, or `python -m functions.local`."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from fastapi import FastAPI

from functions.page import Page
from functions.replay.app import app as replay
from functions.send.app import app as send
from functions.stop.app import app as stop
from resumable_chat.aws.service import service
from resumable_chat.errors import ConfigurationError
from resumable_chat.settings import Settings, source_from_environ

logger = logging.getLogger("resumable_chat.local")

_FUNCTIONS = (send, replay, stop)

_MINUTE = 60.0
_BACKLOG = 128
"""Connections that wait to be accepted; asyncio tries to accept as many at once, also when no file is left."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().set_exception_handler(_FullServer())
    async with AsyncExitStack() as stack:
        for function in _FUNCTIONS:
            await stack.enter_async_context(function.router.lifespan_context(function))
        yield


app = service.app("chat", _lifespan)
for _function in _FUNCTIONS:
    app.router.routes.extend(_function.router.routes)
app.router.default = Page()  # for what no route matches, so that the API stays as it is


class _FullServer:
    """Says once a minute, and not at each attempt, that connections cannot be accepted for lack of files."""

    def __init__(self) -> None:
        self._said_at = -_MINUTE

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif loop.time() >= self._said_at + _MINUTE:
            self._said_at = loop.time()
            logger.error("connections wait to be accepted: %s (raise the limit with `ulimit -n`)", error.strerror)


def main() -> None:
    """Serve on PORT (8000) of HOST (127.0.0.1)."""
    import uvicorn

    output = Logger(service="chat", level=os.environ.get("LOG_LEVEL", "INFO"))
    for name in ("resumable_chat", "lambda_asgi"):
        logging.getLogger(name).setLevel(output.log_level)
        logging.getLogger(name).handlers = output.handlers
    try:
        settings = Settings.from_environ()
        source_from_environ()
        port = int(os.environ.get("PORT", "8000"))
    except ConfigurationError as error:
        sys.exit(str(error))
    except ValueError:
        sys.exit(f"PORT is {os.environ['PORT']!r}; write a number.")
    where = settings.log.resolve() if isinstance(settings.log, Path) else f"S2 basin {settings.log.basin}"
    output.info("serving", url=f"http://localhost:{port}", log=str(where))
    uvicorn.run(
        app,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=port,
        backlog=_BACKLOG,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
