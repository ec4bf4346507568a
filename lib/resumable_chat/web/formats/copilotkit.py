"""The routes of CopilotKit's runtime: ``<CopilotKit runtimeUrl="/api/copilotkit">``, one route or several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...errors import BadRequest
from ..documents import parameter
from ..errors import NO_STORE, problem_of
from ..host import Host
from ..requests import read_chat_id, read_json_object, read_run_id
from ..route import Route
from .ag_ui import EVENTS, INPUT, LAST_EVENT_ID, connect_input, run_input

AGENT: Final = "default"
"""The agent that clients are told of. Any other name is served as well, by the same model."""

_INFO: Final[Mapping[str, Any]] = {
    "version": "1.75.0",
    "agents": {AGENT: {"name": AGENT, "className": "ResumableChat", "description": "The chat of this server."}},
    "audioFileTranscriptionEnabled": False,
    "mode": "sse",
}
"""What the runtime says of itself. ``version`` is the one of CopilotKit whose contract it keeps."""

_METHODS: Final = ("info", "agent/run", "agent/connect", "agent/stop")


def failed(error: Exception) -> Response:
    """Return the answer to an error: CopilotKit shows ``message``, everything else here names it ``detail``."""
    problem = problem_of(error)
    return JSONResponse({"message": problem.detail, "detail": problem.detail}, problem.status, problem.headers)


async def info(host: Host, request: Request) -> Response:
    """Say which agents there are."""
    host.stream(request, AGENT)  # Only a caller who may have chats is told.
    return JSONResponse(_INFO, headers=NO_STORE)


async def run(host: Host, request: Request) -> Response:
    """Store the user's message, and answer with the run."""
    return await run_input(host, request, await read_json_object(request))


async def connect(host: Host, request: Request) -> Response:
    """Answer with the chat so far and then, if an answer is running, with that up to its end."""
    return await connect_input(host, request, await read_json_object(request))


async def stop(host: Host, request: Request) -> Response:
    """End the running answer of a chat."""
    has_body = request.headers.get("content-length", "") not in ("", "0") or "transfer-encoding" in request.headers
    named = await read_json_object(request) if has_body else {}
    return await _stop(host, request, request.path_params.get("thread_id"), named)


async def single(host: Host, request: Request) -> Response:
    """Answer to the method that the body names."""
    envelope = await read_json_object(request)
    method, params, body = envelope.get("method"), envelope.get("params"), envelope.get("body")
    if method not in _METHODS:
        raise BadRequest(400, f"method: must be one of {', '.join(_METHODS)}.")
    for name, value in (("params", params), ("body", body)):
        if value is not None and not isinstance(value, dict):
            raise BadRequest(400, f"{name}: must be an object.")
    if method == "info":
        return await info(host, request)
    if method == "agent/stop":
        return await _stop(host, request, (params or {}).get("threadId"), body or {})
    if body is None:
        raise BadRequest(400, "body: is missing. Send the agent's input.")
    return await (run_input if method == "agent/run" else connect_input)(host, request, body)


async def _stop(host: Host, request: Request, thread_id: Any, named: Mapping[str, Any]) -> Response:
    """Stop the run that is named, else the running one."""
    if named.keys() - {"runId"}:
        raise BadRequest(400, "The body of a stop may hold `runId` alone.")
    run_id = read_run_id(named.get("runId"), "runId")
    stream = host.stream(request, read_chat_id(thread_id, "threadId"))
    response = await host.chat.stop_session(stream, run_id=run_id)
    if response.status_code == 202:
        return JSONResponse({"stopped": True}, headers=NO_STORE)
    if response.status_code == 204:
        return JSONResponse({"stopped": False, "message": "Nothing is running."}, headers=NO_STORE)
    return response


_JSON: Final[dict[str, Any]] = {"application/json": {}}
_AGENT: Final = parameter("agent", "path", "The agent: any name is served.", required=True)

ROUTES: Final = (
    Route(
        "replay",
        "GET",
        "/copilotkit/info",
        info,
        streams=True,
        summary="Say which agents there are (CopilotKit)",
        document={},
        success={200: {"description": "The agents.", "content": _JSON}},
        failed=failed,
    ),
    Route(
        "send",
        "POST",
        "/copilotkit/agent/{agent}/run",
        run,
        streams=True,
        summary="Run an agent (CopilotKit)",
        document={"parameters": [_AGENT, LAST_EVENT_ID], "requestBody": INPUT},
        success={200: {"description": "The run, until it ends.", "content": EVENTS}},
        failed=failed,
    ),
    Route(
        "send",
        "POST",
        "/copilotkit/agent/{agent}/connect",
        connect,
        streams=True,
        summary="Come to a chat (CopilotKit)",
        document={"parameters": [_AGENT, LAST_EVENT_ID], "requestBody": INPUT},
        success={200: {"description": "The chat so far, and the run that goes on.", "content": EVENTS}},
        failed=failed,
    ),
    Route(
        "stop",
        "POST",
        "/copilotkit/agent/{agent}/stop/{thread_id}",
        stop,
        streams=False,
        summary="Stop the running answer (CopilotKit)",
        document={"parameters": [_AGENT, parameter("thread_id", "path", "The chat.", required=True)]},
        success={200: {"description": "Whether anything was stopped.", "content": _JSON}},
        failed=failed,
    ),
    Route(
        "send",
        "POST",
        "/copilotkit",
        single,
        streams=True,
        summary="Any of these, by one route (CopilotKit)",
        document={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["method"],
                            "properties": {
                                "method": {"type": "string", "enum": [*_METHODS]},
                                "params": {"type": "object"},
                                "body": {"type": "object"},
                            },
                        }
                    }
                },
            }
        },
        success={200: {"description": "What the method answers with.", "content": {**EVENTS, **_JSON}}},
        failed=failed,
    ),
)
