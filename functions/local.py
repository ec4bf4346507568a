"""The three functions and the chat page behind one local server: `make dev`, or `python -m functions.local`."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv import load_dotenv
from fastapi import FastAPI
from starlette.middleware import Middleware

from functions.full import BACKLOG, report_full_server
from functions.guard import LocalGuard
from functions.page import Page
from resumable_chat.aws.service import Service
from resumable_chat.errors import ConfigurationError
from resumable_chat.settings import Settings, open_log, source_from_environ
from resumable_chat.web.chat import ResumableChat, create_resumable_chat
from resumable_chat.web.cors import Cors
from resumable_chat.web.shutdown import ending_readers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ROOT: Final = Path(__file__).parent.parent


class LocalService(Service):
    """The functions' service for a developer, who sees the real text of each error."""

    @cached_property
    def chat(self) -> ResumableChat:
        return create_resumable_chat(
            log=open_log(self.settings.log),
            mode=self.settings.mode,
            lease_duration_ms=self.settings.lease_ms,
            on_error=_real_text,
        )


def _real_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def make_app() -> FastAPI:
    """Return the local server's app. Raises ConfigurationError."""
    service = LocalService()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        report_full_server()
        async with service.sending(app), ending_readers(service.chat):
            yield

    origins = service.settings.cors_origins
    app = FastAPI(
        title="Resumable chat",
        lifespan=lifespan,
        middleware=[
            Middleware(LocalGuard, hosts=_listed("CHAT_ALLOWED_HOSTS"), origins=origins),
            Middleware(Cors, origins=lambda: origins),
        ],
    )
    app.include_router(service.router("send", "replay", "stop"))
    app.router.default = Page()  # for every path that no route has
    return app


def _listed(name: str) -> list[str]:
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


def _port() -> int:
    given = os.environ.get("PORT") or "8000"
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise ConfigurationError(f"PORT is {given!r}; write a number from 1 to 65535.")
    return int(given)


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises ConfigurationError if it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if port < 65535:
            raise ConfigurationError(
                f"Port {port} of {host} cannot be used ({error.strerror}). Try another one: PORT={port + 1} make dev"
            ) from error
        raise ConfigurationError(f"Port {port} of {host} cannot be used ({error.strerror}).") from error
    sock.set_inheritable(True)
    return sock


def _model(environ: os._Environ[str]) -> str:
    """Name the model for the line that the server starts with. Shows no secret."""
    return environ.get("CHAT_SOURCE") or environ.get("CHAT_MODEL") or environ.get("OPENAI_MODEL") or "demo"


def _watched() -> list[str]:
    """Return the folders whose changes restart the server: the library's, and that of the developer's own source."""
    folders = [_ROOT / "lib", _ROOT / "functions"]
    module = os.environ.get("CHAT_SOURCE", "").partition(":")[0]
    if module:
        for entry in (Path.cwd(), *map(Path, sys.path)):
            path = entry / module.replace(".", "/")
            found = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
            if found.is_file():
                # A source at the top of a project does not make everything below it worth watching.
                folders.append(found if found.parent == _ROOT else found.parent)
                break
    return [str(folder) for folder in folders]


def main() -> None:
    """Serve on PORT (8000) of HOST (127.0.0.1); ``--reload`` starts again when the source changes."""
    parser = argparse.ArgumentParser(description="Serve the chat and its page on this machine.")
    parser.add_argument("--reload", action="store_true", help="start again when a source file changes")
    options = parser.parse_args()
    load_dotenv(Path.cwd() / ".env")
    level = (os.environ.get("LOG_LEVEL") or "INFO").upper()
    host = os.environ.get("HOST") or "127.0.0.1"
    try:
        if level not in logging.getLevelNamesMapping():
            raise ConfigurationError(f"LOG_LEVEL is {level!r}; it must be one of DEBUG, INFO, WARNING, ERROR.")
        settings = Settings.from_environ()
        # The server's own process says what there is to say about the model.
        logging.getLogger("resumable_chat").setLevel(logging.ERROR)
        source_from_environ()
        port = _port()
        sock = _bound(host, port)
    except ConfigurationError as error:
        sys.exit(str(error))
    where = settings.log if isinstance(settings.log, Path) else f"S2 basin {settings.log.basin}"
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::1", "::") else host  # noqa: S104 - shown, not bound
    url = f"http://{shown}:{port}"
    print(f"Chat on {url} · log: {where} · model: {_model(os.environ)} · Ctrl-C ends it", flush=True)  # noqa: T201
    _serve(sock, level, reload=options.reload)


def _serve(sock: socket.socket, level: str, *, reload: bool) -> None:
    import uvicorn
    from uvicorn.supervisors import ChangeReload

    config = uvicorn.Config(
        "functions.local:make_app",
        factory=True,
        log_config={
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {name: {"level": level} for name in ("resumable_chat", "lambda_asgi")},
        },
        log_level="warning",
        backlog=BACKLOG,
        timeout_graceful_shutdown=3,
        reload=reload,
        reload_dirs=_watched() if reload else None,
    )
    server = uvicorn.Server(config)
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=[sock]).run()
    else:
        server.run(sockets=[sock])


if __name__ == "__main__":
    main()
