"""What Lambda and the function's configuration say, read in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import InitError

MODES: Final = ("buffered", "streaming")


@dataclass(frozen=True, slots=True)
class Settings:
    """One execution environment.

    ``runtime_api`` is host and port of the Runtime API; ``handler`` the function's handler setting; ``app`` names the
    ASGI app, ``module:attribute``; ``streaming`` says that responses are streamed; ``base_path`` is taken off the
    front of every path; ``managed_instances`` says that the environment is never frozen, so that work behind responses
    needs nobody's leave; ``concurrency`` is how many invocations may run at once there; ``snap_start`` says that Lambda
    takes a snapshot at the end of init; ``shutdown`` is the seconds from SIGTERM to the end.
    """

    runtime_api: tuple[str, int]
    app: str
    streaming: bool = False
    base_path: str = "/"
    managed_instances: bool = False
    concurrency: int = 1
    snap_start: bool = False
    shutdown: float = 0.4
    log_format: str = "Text"
    log_level: str = "INFO"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment. Raises InitError naming the variable to set."""
        mode = environ.get("LAMBDA_ASGI_RESPONSE_MODE") or "buffered"
        if mode not in MODES:
            raise InitError(f"LAMBDA_ASGI_RESPONSE_MODE is {mode!r}; write one of {', '.join(MODES)}.")
        return cls(
            runtime_api=runtime_api(environ),
            app=environ.get("LAMBDA_ASGI_APP") or _app_of(environ.get("_HANDLER", "")),
            streaming=mode == "streaming",
            base_path=environ.get("LAMBDA_ASGI_BASE_PATH") or "/",
            managed_instances=bool(environ.get("AWS_LAMBDA_MAX_CONCURRENCY")),
            concurrency=_number(environ, "AWS_LAMBDA_MAX_CONCURRENCY", 1),
            snap_start=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
            shutdown=_number(environ, "LAMBDA_ASGI_SHUTDOWN_MS", 400) / 1000,
            log_format=environ.get("AWS_LAMBDA_LOG_FORMAT") or "Text",
            log_level=(environ.get("AWS_LAMBDA_LOG_LEVEL") or environ.get("LOG_LEVEL") or "INFO").upper(),
        )


def runtime_api(environ: Mapping[str, str]) -> tuple[str, int]:
    """Host and port of the Runtime API. Raises InitError."""
    host, _, port = environ.get("AWS_LAMBDA_RUNTIME_API", "").rpartition(":")
    if not host or not port.isdecimal():
        raise InitError(
            "AWS_LAMBDA_RUNTIME_API is not set: lambda_asgi runs on Lambda or an emulator of it. "
            "Elsewhere serve the app with uvicorn."
        )
    return host, int(port)


def _app_of(handler: str) -> str:
    """The attribute ``app`` of the handler's module; handlers are written ``folder/module.name``."""
    module, _, name = handler.rpartition(".")
    if not module or not name:
        raise InitError(f"The handler is {handler!r}; write module.name, or set LAMBDA_ASGI_APP to module:app.")
    return module.replace("/", ".") + ":app"


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdecimal() or int(value) < 1:
        raise InitError(f"{name} is {value!r}; write a whole number, 1 or more.")
    return int(value)
