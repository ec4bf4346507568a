"""The routes of TanStack AI's own HTTP adapters: ``fetchServerSentEvents('/api/chat/stream?id=…')``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ...chat import SendRequest
from ...engine.wanted import Wanted
from ...errors import BadRequest, LogUnavailable, Overloaded
from ...protocol.json_text import dumps
from ...wire.sse import OPENED, Frame
from ...wire.tanstack import LATEST, TanStackChat, TanStackRun, read_rows
from ..documents import SEND_BODY, parameter
from ..host import Host
from ..requests import read_chat_id, read_cursor, read_field, read_json_object, read_run_id
from ..responses import SSE, BrokenResponse, Format
from ..route import Route

JOIN_PATIENCE: Final = 0.5
"""Seconds that a join waits for the log before its first event. The client gives up after two."""

_MAX_LIMIT: Final = 10_000


async def send(host: Host, request: Request) -> Response:
    """Store the user's message, and answer with the run. With Last-Event-ID, only come back to that run."""
    cursor = read_cursor(request.headers.get("last-event-id"), "Last-Event-ID")
    run_id = read_run_id(request.headers.get("x-run-id"), "X-Run-Id")
    if cursor is not None and run_id is not None and request.query_params.get("id"):
        return await _follow(host, request, _chat_id(request, None), run_id, cursor)
    body = await read_json_object(request)
    chat_id = _chat_id(request, body.get("threadId"))
    run_id = run_id if run_id is not None else read_run_id(body.get("runId"), "runId")
    if cursor is not None:
        return await _follow(host, request, chat_id, run_id, cursor)
    if "messages" not in body:
        raise BadRequest(400, "messages: is missing. Send the list of messages.")
    data = read_field(body, "data", (dict,), "an object")
    sending = SendRequest(
        messages=read_rows(body["messages"]),
        run_id=run_id,
        data=data or read_field(body, "forwardedProps", (dict,), "an object") or {},
        thread_id=chat_id,
        deadline=host.deadline(request, behind=True),
        parent_run_id=read_run_id(body.get("parentRunId"), "parentRunId"),
        resume=read_field(body, "resume", (dict, list), "a list or an object") or (),
        tools=read_field(body, "tools", (list,), "a list") or (),
    )
    return await host.chat.streams.send(
        host.stream(request, chat_id),
        sending,
        host.source,
        TanStackRun(),
        _begun(sending.run_id),
        wait_until=host.wait_until(request),
        deadline=host.deadline(request),
    )


async def read(host: Host, request: Request) -> Response:
    """Answer with a run from its start on, or with the stored chat as JSON if no run is named."""
    query = request.query_params
    run_id = read_run_id(query.get("runId"), "runId")
    if run_id is not None:
        last, offset = request.headers.get("last-event-id"), query.get("offset")
        cursor = read_cursor(last, "Last-Event-ID") if last else _offset(offset)
        return await _follow(host, request, _chat_id(request, query.get("threadId")), run_id, cursor)
    if "threadId" not in query:
        raise BadRequest(400, "threadId: is missing. Name the chat, or with runId the run to join.")
    chat = TanStackChat(_limit(query.get("limit")), query.get("before") or None)
    stream = host.stream(request, _chat_id(request, query["threadId"]))
    return await host.chat.streams.document(stream, chat, deadline=host.deadline(request))


async def _follow(host: Host, request: Request, chat_id: str, run_id: str | None, cursor: int | None) -> Response:
    """Answer with a run that is in the log. Nothing starts."""
    if run_id is None:
        raise BadRequest(400, "X-Run-Id: is missing. Name the run that Last-Event-ID belongs to.")
    returning = "last-event-id" in request.headers
    try:
        response = await host.chat.streams.follow(
            host.stream(request, chat_id),
            Wanted(run_id=run_id),
            TanStackRun(),
            SSE if returning else _begun(run_id),
            cursor=cursor,
            deadline=host.deadline(request),
            patience=JOIN_PATIENCE,
        )
    except (LogUnavailable, Overloaded) as error:
        if not returning:
            raise
        return BrokenResponse(error)
    if response is None:
        raise BadRequest(404, "runId: this chat has no such run.")
    return response


def _begun(run_id: str | None) -> Format:
    """Return the form of a response that begins with an event of its own.

    A client that joins a run waits two seconds for one. And a client comes back only if it has the id of an event: with
    this one, it gets the whole run.
    """
    accepted = {"type": "CUSTOM", "name": "run.accepted", "value": {"runId": run_id}}
    return replace(SSE, opened=OPENED + Frame(0, dumps(accepted)).encode())


def _chat_id(request: Request, thread_id: Any) -> str:
    """Return the chat named by ``id`` in the query, or else by the thread."""
    named = request.query_params.get("id")
    if not named:
        return read_chat_id(thread_id)
    if thread_id is not None and thread_id != named:
        raise BadRequest(400, "threadId: is not the chat that `id` names. Give useChat the chat's id as `threadId`.")
    return read_chat_id(named)


def _offset(value: str | None) -> int | None:
    if value is None or value == "-1":
        return None
    return LATEST if value == "now" else read_cursor(value, "offset")


def _limit(value: str | None) -> int | None:
    if not value:
        return None
    if value.isascii() and value.isdigit() and 0 < int(value[:9]) <= _MAX_LIMIT and len(value) < 9:
        return int(value)
    raise BadRequest(400, f"limit: must be a number of messages from 1 to {_MAX_LIMIT:,}.")


_EVENTS: Final[dict[str, Any]] = {"text/event-stream": {}}

ROUTES: Final = (
    Route(
        "send",
        "POST",
        "/chat/stream",
        send,
        streams=True,
        summary="Send a message, and follow its answer (TanStack AI)",
        document={
            "parameters": [
                parameter("id", "query", "The chat; without it, the body's `threadId` names it."),
                parameter("X-Run-Id", "header", "Idempotency key: the same send twice runs once."),
                parameter("Last-Event-ID", "header", "The last event received: nothing starts, the run goes on."),
            ],
            "requestBody": SEND_BODY,
        },
        success={200: {"description": "The answer, until it ends.", "content": _EVENTS}},
    ),
    Route(
        "replay",
        "GET",
        "/chat/stream",
        read,
        streams=True,
        summary="Join a run, or load a chat (TanStack AI)",
        document={
            "parameters": [
                parameter("id", "query", "The chat; without it, `threadId` names it."),
                parameter("runId", "query", "The run to join."),
                parameter("offset", "query", "Where in the run to begin: -1 (its start), now, or the id of an event."),
                parameter("Last-Event-ID", "header", "The last event received; it wins."),
                parameter("threadId", "query", "The chat to load as JSON."),
                parameter("limit", "query", "How many messages to load."),
                parameter("before", "query", "The cursor of a page: load the messages before it."),
            ]
        },
        success={200: {"description": "The run, or the chat.", "content": {**_EVENTS, "application/json": {}}}},
    ),
)
