"""Requests of the chat routes, read and checked before anything else sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from ..errors import BadRequest
from ..protocol.json_text import MAX_VALUE_DEPTH, NotJson, loads, well_formed

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""Largest body, in bytes: what Lambda takes. The same holds elsewhere, so that nothing fails only on Lambda."""

_CHAT_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,127}")
_MAX_RUN_ID: Final = 256


@dataclass(frozen=True, slots=True)
class SendRequest:
    """POST: a chat and the messages submitted to it, which ``wire.messages`` checks.

    ``run_id`` is the idempotency key, ``seen`` the sender's cursor. ``parent_run_id`` names the run that this one
    continues, ``resume`` holds the answers to its interrupts, and ``tools`` the tools that the client offers.
    """

    chat_id: str
    messages: Any
    run_id: str | None
    seen: int | None
    data: Mapping[str, Any]
    parent_run_id: str | None = None
    resume: Mapping[str, Any] | Sequence[Any] | None = None
    tools: Sequence[Any] = ()

    @property
    def answers(self) -> list[Mapping[str, Any]]:
        """``resume`` as AG-UI has it, a list of answers; other clients send an object of them by interrupt id.

        Raises BadRequest (400) if an answer is not an object.
        """
        given = self.resume or []
        if isinstance(given, Mapping):
            named = [(f"resume.{name}", answer, {"interruptId": name}) for name, answer in given.items()]
        else:
            named = [(f"resume[{index}]", answer, {}) for index, answer in enumerate(given)]
        for where, answer, _ in named:
            if not isinstance(answer, dict):
                raise BadRequest(400, f"{where}: must be an object.")
        return [{**key, **answer} for _, answer, key in named]


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """GET: a chat, and the cursor to go on from."""

    chat_id: str
    cursor: int | None


@dataclass(frozen=True, slots=True)
class StopRequest:
    """DELETE: a chat, and the run to stop (None: whichever runs)."""

    chat_id: str
    run_id: str | None


async def read_send(request: Request) -> SendRequest:
    """Return the send in a request. Raises BadRequest (400, 413)."""
    body = await read_json_object(request)
    if "messages" not in body:
        raise BadRequest(400, "messages: is missing. Send the list of messages.")
    run_id = body.get("runId", request.headers.get("x-run-id", request.headers.get("idempotency-key")))
    return SendRequest(
        chat_id=read_chat_id(body.get("id")),
        messages=body["messages"],
        run_id=read_run_id(run_id, "runId"),
        seen=read_cursor(body.get("from"), "from"),
        data=read_field(body, "data", (dict,), "an object") or {},
        parent_run_id=read_run_id(body.get("parentRunId"), "parentRunId"),
        resume=read_field(body, "resume", (dict, list), "a list or an object"),
        tools=read_field(body, "tools", (list,), "a list") or (),
    )


def read_replay(request: Request) -> ReplayRequest:
    """Return the replay that a request asks for; ``Last-Event-ID`` goes before ``from``. Raises BadRequest (400)."""
    last = request.headers.get("last-event-id")
    query = request.query_params
    cursor = read_cursor(last, "Last-Event-ID") if last else read_cursor(query.get("from"), "from")
    return ReplayRequest(read_chat_id(query.get("id")), cursor)


async def read_stop(request: Request) -> StopRequest:
    """Return the stop in a request's query or, without an ``id`` there, in its body. Raises BadRequest (400, 413)."""
    named: Mapping[str, Any] = request.query_params
    if "id" not in named:
        named = await read_json_object(request)
    return StopRequest(read_chat_id(named.get("id")), read_run_id(named.get("runId"), "runId"))


async def read_json_object(request: Request) -> dict[str, Any]:
    """Return a request's body. Raises BadRequest (400, 413)."""
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > MAX_BODY_BYTES:
            raise BadRequest(
                413,
                f"The request is over {MAX_BODY_BYTES:,} bytes. Upload large files elsewhere and send their URL.",
            )
    try:
        body = loads(received, MAX_VALUE_DEPTH + 10)
    except NotJson as error:
        raise BadRequest(400, f"The body must be JSON: {error}.") from error
    if not isinstance(body, dict):
        raise BadRequest(400, "The body must be a JSON object.")
    return body


def read_field(body: Mapping[str, Any], name: str, types: tuple[type, ...], words: str) -> Any:
    """Return a field of the body that is meant for the model; None if it is missing or null.

    Raises BadRequest (400).
    """
    value = body.get(name)
    if value is not None and not isinstance(value, types):
        raise BadRequest(400, f"{name}: must be {words}.")
    return well_formed(value)


def read_chat_id(value: Any, name: str = "id") -> str:
    """Return the id of a chat, wherever it stood in the request.

    Raises BadRequest (400), which calls the field ``name``.
    """
    if value is None or value == "":
        raise BadRequest(400, f"{name}: is missing. Name the chat.")
    if not isinstance(value, str) or not _CHAT_ID.fullmatch(value):
        raise BadRequest(
            400, f"{name}: must be 1 to 128 letters, digits, `_`, `-`, `.` or `:`, and not begin with `.` or `:`."
        )
    return value


def read_run_id(value: Any, name: str) -> str | None:
    """Return the id of a run, None if there is none. Raises BadRequest (400), which calls the field ``name``."""
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_RUN_ID:
        raise BadRequest(400, f"{name}: must be a string of 1 to {_MAX_RUN_ID} characters.")
    return value


def read_cursor(value: Any, name: str) -> int | None:
    """Return a cursor, None if there is none. Raises BadRequest (400), which calls the field ``name``."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    if type(value) is int and 0 <= value < 10**18:
        return value
    raise BadRequest(400, f"{name}: must be the id of an event, which is a whole number, 0 or more.")
