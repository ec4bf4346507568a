"""The chat in your own FastAPI app: ``chat_router`` adds its routes, ``create_app`` is an app with nothing else."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request

from ..errors import BadRequest, ConfigurationError
from ..settings import Delivery, Mode, Settings
from ..sources.port import Source
from .background import Background, WaitUntil
from .chat import ResumableChat, create_resumable_chat
from .cors import Cors
from .host import Host
from .owners import PUBLIC, Owner, Public, owned_stream
from .route import PREFIX
from .routes import ROUTES, add_routes
from .shutdown import ending_readers

logger = logging.getLogger(__name__)

OwnerOf = Callable[..., Owner | str | Awaitable[Owner | str | None] | None]
"""A FastAPI dependency that returns the caller: an Owner, an id of your own, or None for a caller unknown to you."""

_OWNER: Final = "resumable_chat.owner"
"""The key under which a request's ASGI scope carries its owner."""

_DRAIN_SECONDS: Final = 5.0


class _AppHost(Host):
    """A process that serves chats from an ASGI server of its own."""

    def __init__(self, chat: ResumableChat | None, source: Source, prefix: str) -> None:
        self._chat = chat
        self._owns_chat = chat is None
        self._source = source
        self._prefix = prefix
        self._background = Background()
        self.mode: Mode = "session" if chat is None else chat.mode
        self.delivery: Delivery = "response"

    @property
    def chat(self) -> ResumableChat:
        if self._chat is None:
            self._chat = create_resumable_chat()
            self.mode = self._chat.mode
        return self._chat

    @property
    def source(self) -> Source:
        return self._source

    def stream(self, request: Request, chat_id: str) -> str:
        owner = request.scope.get(_OWNER)
        if owner is None:
            raise BadRequest(401, "Sign in: it could not be established whose chat this is.")
        return self._prefix + owned_stream(owner, chat_id)

    def wait_until(self, request: Request) -> WaitUntil:
        return self._background.wait_until

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """Open the chat at the start, so that a wrong setting is told then; let runs end at the shutdown."""
        chat = self.chat
        async with ending_readers(chat):
            try:
                yield
            finally:
                await self._background.drain(_DRAIN_SECONDS)
                if self._owns_chat:
                    await chat.close()
                    self._chat = None


def chat_router(
    *,
    source: Source,
    owner: OwnerOf | Public,
    chat: ResumableChat | None = None,
    prefix: str = PREFIX,
    stream_prefix: str = "",
) -> APIRouter:
    """Return a router with the chat's routes, for ``app.include_router``.

    ``source`` is the model. ``owner`` is a FastAPI dependency that returns the caller of a request, as an id of your
    own or an ``Owner``; a caller for whom it returns None gets a 401. ``PUBLIC`` opens every chat to everybody who
    knows its id. ``chat`` is one that you made and close yourself; without it, the router makes one from the
    environment when the app starts, and closes it when the app ends. ``prefix`` is put before the routes' paths,
    ``stream_prefix`` before the names of the streams.

    Raises ConfigurationError if ``owner`` is neither a function nor ``PUBLIC``, or ``source`` cannot be called.
    """
    if not isinstance(owner, Public) and not callable(owner):
        raise ConfigurationError(
            "chat_router needs owner=, a function that returns the caller of a request. "
            "Pass PUBLIC to open every chat to everybody who knows its id."
        )
    if not callable(source):
        raise ConfigurationError("chat_router needs source=, a function from messages to a stream of chunks.")
    host = _AppHost(chat, source, stream_prefix)
    router = APIRouter(prefix=prefix, dependencies=[Depends(_identified(owner))], lifespan=host.lifespan)
    add_routes(router, host, ROUTES)
    return router


def _identified(owner: OwnerOf | Public) -> Callable[..., Awaitable[None]]:
    """Return the dependency that notes the request's owner in its scope; an unknown caller leaves it as it is."""
    if isinstance(owner, Public):
        logger.warning("every chat is open to everybody who knows its id: owner is PUBLIC")

        async def everybody(request: Request) -> None:
            request.scope[_OWNER] = PUBLIC

        return everybody

    async def identified(request: Request, caller: Any = Depends(owner)) -> None:  # noqa: B008 - FastAPI's way
        if inspect.isawaitable(caller):
            caller = await caller
        if isinstance(caller, str) and caller:
            caller = Owner("app", caller)
        if isinstance(caller, Owner | Public):
            request.scope[_OWNER] = caller
        elif caller:
            logger.error("owner returned a %s; return an Owner, a string or None", type(caller).__name__)

    return identified


def create_app(
    source: Source, *, owner: OwnerOf | Public, chat: ResumableChat | None = None, **options: Any
) -> FastAPI:
    """Return a FastAPI app that serves the chat and nothing else; ``options`` go to FastAPI.

    ``CHAT_CORS_ORIGINS`` and ``CHAT_STREAM_PREFIX`` are read from the environment. Raises ConfigurationError.
    """
    settings = Settings.from_environ()
    app = FastAPI(
        title=options.pop("title", "Chat"),
        middleware=[Middleware(Cors, origins=lambda: settings.cors_origins), *options.pop("middleware", ())],
        **options,
    )
    app.include_router(chat_router(source=source, owner=owner, chat=chat, stream_prefix=settings.stream_prefix))
    return app
