"""The routes of the AI SDK's ``DefaultChatTransport`` and ``useChat``, and of our own transport for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ...chat import SendRequest
from ...engine.wanted import Wanted
from ...protocol.json_text import well_formed
from ...protocol.submission import Form
from ...wire.ai_sdk import REGENERATE, SUBMIT, AnswerStream, History, read_submission
from ...wire.sse import HEADERS
from ..errors import NO_STORE, problem_of
from ..host import Host
from ..requests import read_chat_id, read_cursor, read_field, read_json_object, read_run_id
from ..responses import Format
from ..route import Route

RESUME_WINDOW: Final = 300.0
"""Seconds after its end for which an answer is still resumed, for a client whose response broke off before the end."""

_STREAM: Final = Format(headers={**HEADERS, "x-vercel-ai-ui-message-stream": "v1"})

_KNOWN: Final = frozenset(
    {"id", "messages", "trigger", "messageId", "runId", "from", "data", "parentRunId", "resume", "tools"}
)
"""Fields of the body that mean something to the server."""


async def send(host: Host, request: Request) -> Response:
    """Store the user's message, and answer with the run as a UI message stream."""
    body = await read_json_object(request)
    chat_id = read_chat_id(body.get("id"))
    submission = read_submission(body.get("messages"), body.get("trigger", SUBMIT), body.get("messageId"))
    named = body.get("runId", request.headers.get("x-run-id", request.headers.get("idempotency-key")))
    return await host.chat.streams.send(
        host.stream(request, chat_id),
        SendRequest(
            messages=submission.messages,
            run_id=read_run_id(named, "runId") or submission.run_id,
            sender_cursor=read_cursor(body.get("from"), "from"),
            data=_data(body),
            thread_id=chat_id,
            deadline=host.deadline(request, behind=True),
            parent_run_id=read_run_id(body.get("parentRunId"), "parentRunId"),
            resume=read_field(body, "resume", (dict, list), "a list or an object") or (),
            tools=read_field(body, "tools", (list,), "a list") or (),
            form=Form.TRANSLATED,
        ),
        host.source,
        AnswerStream(continues=submission.continues, known_calls=submission.known_calls),
        _STREAM,
        wait_until=host.wait_until(request),
        deadline=host.deadline(request),
    )


def _data(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes to the model: ``data``, and what the client's own ``body`` adds to the request."""
    data = read_field(body, "data", (dict,), "an object") or {}
    extra: dict[str, Any] = well_formed({name: value for name, value in body.items() if name not in _KNOWN})
    return {**extra, **data}


async def resume(host: Host, request: Request) -> Response:
    """Answer with the running answer from its start, or with the one that has just ended; 204 without either.

    With a cursor (``Last-Event-ID`` or ``from``), answer with the rest of the run that it lies in.
    """
    last = request.headers.get("last-event-id")
    cursor = read_cursor(last, "Last-Event-ID") if last else read_cursor(request.query_params.get("from"), "from")
    run_id = read_run_id(request.query_params.get("runId"), "runId")
    response = await host.chat.streams.follow(
        host.stream(request, _chat_id(request)),
        Wanted(run_id=run_id, after=cursor, ended_within=RESUME_WINDOW),
        AnswerStream(replays=True),
        _STREAM,
        cursor=cursor,
        deadline=host.deadline(request),
    )
    return Response(status_code=204, headers=NO_STORE) if response is None else response


async def stop(host: Host, request: Request) -> Response:
    """End the running answer, from any device and any process. What was written of it stays."""
    run_id = request.query_params.get("runId")
    if run_id is None and request.headers.get("content-length", "0") != "0":
        run_id = (await read_json_object(request)).get("runId")
    stopped = await host.chat.stop(host.stream(request, _chat_id(request)), read_run_id(run_id, "runId"))
    return Response(status_code=202 if stopped else 204, headers=NO_STORE)


async def messages(host: Host, request: Request) -> Response:
    """Answer with the chat's messages as UIMessages, for ``useChat({messages})``, without a running answer."""
    return await host.chat.streams.document(host.stream(request, _chat_id(request)), History())


def failed(error: Exception) -> Response:
    """Answer with the error's text alone: the client shows a body as it is."""
    problem = problem_of(error)
    return PlainTextResponse(problem.detail, problem.status, problem.headers)


def _chat_id(request: Request) -> str:
    return read_chat_id(request.path_params["id"])


_ID: Final = {"name": "id", "in": "path", "required": True, "description": "The chat.", "schema": {"type": "string"}}

_BODY: Final = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["id", "messages"],
                "properties": {
                    "id": {"type": "string", "description": "The chat."},
                    "messages": {"type": "array", "items": {"type": "object"}, "description": "UIMessages."},
                    "trigger": {"type": "string", "enum": [SUBMIT, REGENERATE]},
                    "messageId": {"type": "string"},
                    "runId": {"type": "string", "description": "Idempotency key: the same send twice runs once."},
                    "from": {"type": "integer", "description": "The id of the last event received."},
                },
            }
        }
    },
}

_EVENTS: Final = {"description": "A UI message stream.", "content": {"text/event-stream": {}}}

ROUTES: Final = (
    Route(
        "send",
        "POST",
        "/ai-sdk/chat",
        send,
        streams=True,
        summary="Send a message (AI SDK)",
        document={"requestBody": _BODY},
        success={200: _EVENTS},
        failed=failed,
    ),
    Route(
        "replay",
        "GET",
        "/ai-sdk/chat/{id}/stream",
        resume,
        streams=True,
        summary="Resume an answer (AI SDK)",
        document={"parameters": [_ID]},
        success={200: _EVENTS, 204: {"description": "Nothing runs."}},
        failed=failed,
    ),
    Route(
        "replay",
        "GET",
        "/ai-sdk/chat/{id}/messages",
        messages,
        streams=True,
        summary="Load a chat (AI SDK)",
        document={"parameters": [_ID]},
        success={200: {"description": "UIMessages.", "content": {"application/json": {}}}},
        failed=failed,
    ),
    Route(
        "stop",
        "POST",
        "/ai-sdk/chat/{id}/stop",
        stop,
        streams=False,
        summary="Stop the running answer (AI SDK)",
        document={"parameters": [_ID]},
        success={202: {"description": "Stopped."}, 204: {"description": "Nothing runs."}},
        failed=failed,
    ),
)
