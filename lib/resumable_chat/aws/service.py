"""The process of the three functions: its chat, made from the environment, and the limits that Lambda sets."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from lambda_asgi import BrokenOff, drain, invocation, wait_until

from ..errors import BadRequest
from ..settings import Delivery, Mode, Settings, open_log
from ..web.background import WaitUntil
from ..web.chat import ResumableChat, create_resumable_chat
from ..web.cors import Cors
from ..web.host import Host
from ..web.owners import PUBLIC, Owner, Public, owned_stream
from ..web.responses import BodyBroken
from ..web.route import PREFIX, Function
from ..web.routes import ROUTES, add_routes
from .owner import owner_of

if TYPE_CHECKING:
    from ..sources.port import Source

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 5.0


class Service(Host):
    """One process's chat, made from the environment when first used, and closed when its last app shuts down."""

    def __init__(self) -> None:
        self._apps = 0

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process. Raises ConfigurationError."""
        return Settings.from_environ(os.environ)

    @cached_property
    def chat(self) -> ResumableChat:
        return create_resumable_chat(
            log=open_log(self.settings.log),
            mode=self.settings.mode,
            lease_duration_ms=self.settings.lease_ms,
            foreign_lease_duration_ms=self.settings.foreign_lease_ms,
        )

    @cached_property
    def source(self) -> Source:
        from ..settings import source_from_environ

        return source_from_environ(os.environ)

    @property
    def mode(self) -> Mode:  # type: ignore[override] # read when first needed
        return self.settings.mode

    @property
    def delivery(self) -> Delivery:  # type: ignore[override]
        return self.settings.delivery

    def stream(self, request: Request, chat_id: str) -> str:
        """Return the stream that holds this caller's chat. Raises BadRequest (401) for a caller without identity."""
        return self.settings.stream_prefix + owned_stream(self._owner(request), chat_id)

    def _owner(self, request: Request) -> Owner | Public:
        if self.settings.auth == "none":
            return PUBLIC
        owner = owner_of(request.scope.get("aws.event"))
        if owner is None:
            logger.warning(
                "a request without an authenticated caller was refused; put an authoriser before this function that "
                "tells callers apart, or set CHAT_AUTH=none, which opens every chat to everybody who knows its id"
            )
            raise BadRequest(401, "Sign in: it could not be established whose chat this is.")
        return owner

    def wait_until(self, request: Request) -> WaitUntil | None:
        """Return how work may go on behind the response; None where the platform freezes the process after it."""
        if "aws.event" in request.scope and invocation(request.scope) is None:
            return None
        return wait_until

    def deadline(self, request: Request, *, behind: bool = False) -> float | None:
        if (called := invocation(request.scope)) is not None:
            return called.work_deadline if behind else called.deadline
        left = getattr(request.scope.get("aws.context"), "get_remaining_time_in_millis", None)
        return None if left is None else asyncio.get_running_loop().time() + float(left()) / 1000

    def live(self, request: Request) -> bool:
        """Return False where the response is collected whole before it leaves, as Mangum does on Lambda."""
        called = invocation(request.scope)
        return "aws.event" not in request.scope or (called is not None and called.streaming)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the chat at the start, so that a wrong setting ends the process then, and close it with the last app."""
        self._apps += 1
        _ = self.chat
        try:
            yield
        finally:
            self._apps -= 1
            if not self._apps:
                await drain(_DRAIN_SECONDS)
                # An app may be started again in this process; it then needs a log that is open.
                chat = self.__dict__.pop("chat")
                await chat.close()
                await asyncio.sleep(0)

    @asynccontextmanager
    async def sending(self, app: FastAPI) -> AsyncIterator[None]:
        """Enter ``lifespan``, and load the model's settings: wrong ones end the process at its start, too."""
        _ = self.source
        async with self.lifespan(app):
            yield

    def router(self, *functions: Function) -> APIRouter:
        """Return the routes that these functions serve."""
        router = APIRouter(prefix=PREFIX)
        add_routes(router, self, [route for route in ROUTES if route.function in functions])
        return router

    def app(self, function: Function) -> FastAPI:
        """Return the app of one function."""
        app = FastAPI(
            title=f"chat {function}",
            lifespan=self.sending if function == "send" else self.lifespan,
            middleware=[Middleware(_BreaksOff), Middleware(Cors, origins=lambda: self.settings.cors_origins)],
            openapi_url=None,
        )
        app.include_router(self.router(function))
        return app


class _BreaksOff:
    """Tells the runtime that a body was broken off on purpose, which is no failure of the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except BodyBroken as broken:
            raise BrokenOff(str(broken)) from broken


service = Service()
