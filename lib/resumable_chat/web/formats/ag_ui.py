"""The routes of AG-UI's clients: ``new HttpAgent({url: '/api/ag-ui'})``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ...chat import SendRequest
from ...engine.wanted import Wanted
from ...errors import BadRequest
from ...protocol.submission import Form
from ...wire.ag_ui.ends import Dialect
from ...wire.ag_ui.inbound import read_rows, result_calls
from ...wire.ag_ui.stream import AgUiChat, AgUiRun
from ..documents import parameter
from ..host import Host
from ..requests import read_chat_id, read_cursor, read_field, read_json_object, read_run_id
from ..route import Route

_STATUSES: Final = ("resolved", "cancelled")
_DATA: Final = ("state", "context", "forwardedProps")
"""Fields of an input that are for the model's source alone."""


async def run(host: Host, request: Request) -> Response:
    """Store the user's message, and answer with the run. With Last-Event-ID, only come back to that run."""
    return await run_input(host, request, await read_json_object(request))


async def connect(host: Host, request: Request) -> Response:
    """Answer with the chat so far and then, if an answer is running, with that up to its end."""
    return await connect_input(host, request, await read_json_object(request))


async def run_input(host: Host, request: Request, given: Mapping[str, Any]) -> Response:
    """Answer to the RunAgentInput of a run. Raises ChatError."""
    dialect = _dialect(request, given)
    run_id = read_run_id(given.get("runId", request.headers.get("x-run-id")), "runId")
    cursor = _cursor(request)
    stream, deadline = host.stream(request, dialect.thread_id), host.deadline(request)
    if cursor is not None:
        if run_id is None:
            raise BadRequest(400, "runId: is missing. Name the run that Last-Event-ID belongs to.")
        wire = AgUiRun(dialect, run_id=run_id, answered=result_calls(_rows(given)))
        followed = await host.chat.streams.follow(stream, Wanted(run_id=run_id), wire, cursor=cursor, deadline=deadline)
        if followed is None:
            raise BadRequest(404, "runId: this chat has no such run.")
        return followed
    if "messages" not in given:
        raise BadRequest(400, "messages: is missing. Send the list of messages.")
    sending = SendRequest(
        messages=read_rows(given["messages"]),
        run_id=run_id,
        data={key: read_field(given, key, (object,), "a value") for key in _DATA if given.get(key) is not None},
        thread_id=dialect.thread_id,
        deadline=host.deadline(request, behind=True),
        parent_run_id=read_run_id(given.get("parentRunId"), "parentRunId"),
        resume=_resume(given),
        tools=read_field(given, "tools", (list,), "a list") or (),
        form=Form.ROWS,
    )
    return await host.chat.streams.send(
        stream,
        sending,
        host.source,
        AgUiRun(dialect, run_id=run_id, answered=result_calls(_rows(given))),
        wait_until=host.wait_until(request),
        deadline=deadline,
    )


async def connect_input(host: Host, request: Request, given: Mapping[str, Any]) -> Response:
    """Answer to the RunAgentInput of a client that comes to a chat. Raises ChatError."""
    dialect = _dialect(request, given)
    cursor = _cursor(request)
    stream, deadline = host.stream(request, dialect.thread_id), host.deadline(request)
    if cursor is not None:
        followed = await host.chat.streams.follow(stream, Wanted(), AgUiRun(dialect), cursor=cursor, deadline=deadline)
        if followed is not None:
            return followed
    run_id = read_run_id(given.get("runId"), "runId")
    chat = AgUiChat(dialect, idle_run_id=run_id, known=_rows(given))
    return await host.chat.streams.until_idle(stream, chat, deadline=deadline)


def _dialect(request: Request, given: Mapping[str, Any]) -> Dialect:
    """Return what the client of this request takes. Raises BadRequest (400)."""
    thread_id = read_chat_id(given.get("threadId"), "threadId")
    named = request.query_params.get("id")
    if named and named != thread_id:
        raise BadRequest(400, "threadId: is not the chat that `id` names. Leave one of them out.")
    version = given.get("protocolVersion")
    major = version.partition(".")[0] if isinstance(version, str) else ""
    return Dialect(thread_id, current=major.isdecimal() and int(major[:9]) >= 1)


def _cursor(request: Request) -> int | None:
    return read_cursor(request.headers.get("last-event-id"), "Last-Event-ID")


def _rows(given: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the client's rows, without those that cannot be read."""
    rows = given.get("messages")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _resume(given: Mapping[str, Any]) -> Sequence[Any]:
    """Return the answers to interrupts. Raises BadRequest (400)."""
    entries = read_field(given, "resume", (list,), "a list") or ()
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("interruptId"), str):
            raise BadRequest(400, f"resume[{index}].interruptId: must be a string.")
        if entry.get("status") not in _STATUSES:
            raise BadRequest(400, f"resume[{index}].status: must be one of {', '.join(_STATUSES)}.")
    return entries


LAST_EVENT_ID: Final = parameter("Last-Event-ID", "header", "The last event received: nothing starts, the run goes on.")

EVENTS: Final[dict[str, Any]] = {"text/event-stream": {}}

INPUT: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "title": "RunAgentInput",
                "type": "object",
                "required": ["threadId", "messages"],
                "properties": {
                    "threadId": {"type": "string", "description": "The chat."},
                    "runId": {"type": "string", "description": "Idempotency key: the same send twice runs once."},
                    "protocolVersion": {"type": "string"},
                    "parentRunId": {"type": "string", "description": "The run that this one continues."},
                    "messages": {"type": "array", "items": {"type": "object"}, "description": "AG-UI rows."},
                    "tools": {"type": "array", "items": {"type": "object"}},
                    "resume": {"type": "array", "items": {"type": "object"}, "description": "Answers to interrupts."},
                    "state": {},
                    "context": {},
                    "forwardedProps": {},
                },
            }
        }
    },
}
"""AG-UI's RunAgentInput, as an OpenAPI request body."""

ROUTES: Final = (
    Route(
        "send",
        "POST",
        "/ag-ui",
        run,
        streams=True,
        summary="Run an agent (AG-UI)",
        document={"parameters": [LAST_EVENT_ID], "requestBody": INPUT},
        success={200: {"description": "The run, until it ends.", "content": EVENTS}},
    ),
    Route(
        "send",
        "POST",
        "/ag-ui/connect",
        connect,
        streams=True,
        summary="Come to a chat (AG-UI)",
        document={"parameters": [LAST_EVENT_ID], "requestBody": INPUT},
        success={200: {"description": "The chat so far, and the run that goes on.", "content": EVENTS}},
    ),
)
