"""Pages of other origins: they may call the chat if CHAT_CORS_ORIGINS names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

ALLOWED_HEADERS: Final = ("Content-Type", "Authorization", "X-Run-Id", "Idempotency-Key", "Last-Event-ID")
ALLOWED_METHODS: Final = ("GET", "POST", "DELETE")
PREFLIGHT_SECONDS: Final = 7200
"""The longest that Chrome keeps a preflight's answer."""


class Cors:
    """Starlette's CORS middleware, with the origins asked for at the first request.

    Cookies are never allowed: who calls says so in ``Authorization``. Behind a function URL it stands aside, because
    the URL's own configuration adds the headers, and browsers refuse them twice.
    """

    def __init__(self, app: ASGIApp, origins: Callable[[], Sequence[str]]) -> None:
        self._app = app
        self._origins = origins
        self._answering: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _by_function_url(scope):
            await self._app(scope, receive, send)
            return
        if self._answering is None:
            origins = self._origins()
            self._answering = self._app
            if origins:
                self._answering = CORSMiddleware(
                    self._app,
                    allow_origins=origins,
                    allow_methods=ALLOWED_METHODS,
                    allow_headers=ALLOWED_HEADERS,
                    expose_headers=("Retry-After",),
                    max_age=PREFLIGHT_SECONDS,
                )
        await self._answering(scope, receive, send)


def _by_function_url(scope: Scope) -> bool:
    event = scope.get("aws.event")
    context = event.get("requestContext") if isinstance(event, dict) else None
    return isinstance(context, dict) and ".lambda-url." in str(context.get("domainName"))
