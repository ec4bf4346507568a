"""What the three functions share: the chat of this process, and how an app answers errors and ends."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lambda_asgi import BrokenOff, drain, invocation, wait_until

from ..errors import BadRequest, ChatError
from ..settings import Settings, open_log
from ..web.chat import ResumableChat, WaitUntil, create_resumable_chat, error_response
from ..web.cors import Cors
from ..web.responses import BodyBroken
from .owner import owned_stream, owner_of

if TYPE_CHECKING:
    from ..sources.port import Source

logger = logging.getLogger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DRAIN_SECONDS = 5.0


class Service:
    """One process's chat, made from the environment when first used, and let go of when its last app shuts down."""

    def __init__(self) -> None:
        self._apps = 0

    @cached_property
    def settings(self) -> Settings:
        return Settings.from_environ(os.environ)

    @cached_property
    def chat(self) -> ResumableChat:
        return create_resumable_chat(
            log=open_log(self.settings.log), mode=self.settings.mode, lease_duration_ms=self.settings.lease_ms
        )

    @cached_property
    def source(self) -> Source:
        from ..settings import source_from_environ

        return source_from_environ(os.environ)

    def stream(self, request: Request, chat_id: str) -> str:
        """The stream that holds this caller's chat. Raises BadRequest (401) if it must have an owner and has none."""
        owner = None
        if self.settings.auth == "required" and (owner := owner_of(request.scope.get("aws.event"))) is None:
            logger.warning(
                "a request without an authenticated caller was refused; put an authoriser before this function that "
                "tells callers apart, or set CHAT_AUTH=none, which opens every chat to whoever knows its id"
            )
            raise BadRequest(401, "Sign in: it could not be established whose chat this is.")
        return self.settings.stream_prefix + owned_stream(owner, chat_id)

    def wait_until(self, request: Request) -> WaitUntil | None:
        """How work may go on behind the response; None where the platform freezes the process once it has it."""
        if "aws.event" in request.scope and invocation(request.scope) is None:
            return None
        return wait_until

    def deadline(self, request: Request, *, behind: bool = False) -> float | None:
        """The loop time at which the platform ends the invocation (``behind``: the work behind its response)."""
        if (called := invocation(request.scope)) is not None:
            return called.work_deadline if behind else called.deadline
        left = getattr(request.scope.get("aws.context"), "get_remaining_time_in_millis", None)
        return None if left is None else asyncio.get_running_loop().time() + float(left()) / 1000

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self._apps += 1
        # A wrong setting should end the server at its start, not its first request.
        _ = self.chat
        try:
            yield
        finally:
            self._apps -= 1
            if not self._apps:
                await drain(_DRAIN_SECONDS)
                await self.chat.close()
                await asyncio.sleep(0)

    @asynccontextmanager
    async def sending(self, app: FastAPI) -> AsyncIterator[None]:
        """The lifespan of an app that calls the model: a wrong setting of it, too, ends the server at its start."""
        _ = self.source
        async with self.lifespan(app):
            yield

    def app(self, title: str, lifespan: Lifespan) -> FastAPI:
        """An app that answers this library's errors, and pages of other origins that may call."""
        return FastAPI(
            title=title,
            lifespan=lifespan,
            exception_handlers={ChatError: _on_error},
            middleware=[Middleware(_BreaksOff), Middleware(Cors, origins=lambda: self.settings.cors_origins)],
            openapi_url=None,
        )


class _BreaksOff:
    """Tells the runtime that a body was broken off on purpose, which is no failure of the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except BodyBroken as broken:
            raise BrokenOff(str(broken)) from broken


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChatError)
    return error_response(error)


def buffered(request: Request) -> bool:
    """Whether the response is collected whole before it leaves, as Mangum does on Lambda."""
    called = invocation(request.scope)
    return "aws.event" in request.scope and (called is None or not called.streaming)


service = Service()
