"""The chat's routes: one list for the functions, for ``chat_router`` and for the template's test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ..protocol.json_text import well_formed
from ..sources.port import call_source
from ..wire.messages import read_messages
from .documents import ERRORS, REPLAY_PARAMETERS, SEND_BODY, STOP_PARAMETERS
from .formats import ag_ui, ai_sdk, copilotkit, tanstack
from .host import Host
from .requests import read_replay, read_send, read_stop
from .route import Route


async def send(host: Host, request: Request) -> Response:
    """Store the user's message, answer 202, and run the model behind the response."""
    wanted = await read_send(request)
    stream = host.stream(request, wanted.chat_id)
    wait_until, deadline = host.wait_until(request), host.deadline(request, behind=True)
    if host.mode == "session":
        return await host.chat.make_session_response(
            stream,
            messages=wanted.messages,
            source=host.source,
            wait_until=wait_until,
            run_id=wanted.run_id,
            seen=wanted.seen,
            data=wanted.data,
            thread_id=wanted.chat_id,
            deadline=deadline,
            parent_run_id=wanted.parent_run_id,
            resume=wanted.answers,
            tools=wanted.tools,
        )
    messages, source = well_formed(read_messages(wanted.messages)), host.source
    return await host.chat.make_resumable(
        stream,
        lambda _, context: call_source(source, messages, replace(context, data=wanted.data)),
        delivery=host.delivery,
        wait_until=wait_until,
        run_id=wanted.run_id,
        thread_id=wanted.chat_id,
        deadline=deadline,
    )


async def replay(host: Host, request: Request) -> Response:
    """Answer with the chat so far, then with everything live, as server-sent events."""
    wanted = read_replay(request)
    return await host.chat.replay(
        host.stream(request, wanted.chat_id),
        from_seq_num=wanted.cursor,
        live=host.live(request),
        deadline=host.deadline(request),
    )


async def stop(host: Host, request: Request) -> Response:
    """End the running answer, from any device and any process."""
    wanted = await read_stop(request)
    return await host.chat.stop_session(host.stream(request, wanted.chat_id), run_id=wanted.run_id)


_ROUTES: Final = (
    Route(
        "send",
        "POST",
        "/chat",
        send,
        streams=False,
        summary="Send a message",
        document={"requestBody": SEND_BODY},
        success={202: {"description": "The message is stored. The answer is written behind this response."}},
    ),
    Route(
        "replay",
        "GET",
        "/chat/replay",
        replay,
        streams=True,
        summary="Follow a chat",
        document={"parameters": REPLAY_PARAMETERS},
        success={200: {"description": "The chat so far, then everything live.", "content": {"text/event-stream": {}}}},
    ),
    Route(
        "stop",
        "DELETE",
        "/chat",
        stop,
        streams=False,
        summary="Stop the running answer",
        document={"parameters": STOP_PARAMETERS},
        success={202: {"description": "Stopped."}, 204: {"description": "Nothing runs."}},
    ),
)


ROUTES: Final[tuple[Route, ...]] = (
    *_ROUTES,
    *tanstack.ROUTES,
    *ai_sdk.ROUTES,
    *ag_ui.ROUTES,
    *copilotkit.ROUTES,
)
"""Every route, also those of the other wire formats: each adds its own here, by one line."""


def add_routes(router: APIRouter, host: Host, routes: Iterable[Route]) -> None:
    """Add these routes to a FastAPI router, served by ``host``."""
    for route in routes:
        router.add_api_route(
            route.path,
            _bound(route, host),
            methods=[route.method],
            name=route.endpoint.__name__,
            summary=route.summary,
            description=route.endpoint.__doc__,
            response_class=Response,
            responses={**route.success, **ERRORS},
            status_code=int(next(iter(route.success))),
            openapi_extra=dict(route.document),
            tags=["chat"],
        )


def _bound(route: Route, host: Host) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await route.endpoint(host, request)
        except Exception as error:  # noqa: BLE001 - it is logged, and answered as 500
            return route.failed(error)

    return endpoint
