"""What a failed request is answered with: a status, a text that says what to change, and headers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import JSONResponse, Response

from ..chat import Sent
from ..errors import BadRequest, LogUnavailable, Overloaded
from ..protocol.claim import Busy, Conflict, Used
from ..protocol.outcomes import DEFAULT_ERROR

logger = logging.getLogger(__name__)

NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a client gets it. Wire formats whose clients want no JSON put ``detail`` into a body of their own."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=lambda: NO_STORE)


def problem_of(error: Exception) -> Problem:
    """Return what to answer to an error.

    BadRequest has a status of its own. A log out of reach, or a process with too many readers, is 503. Anything else
    is 500, and logged with its traceback.
    """
    if isinstance(error, Overloaded):
        # The connection holds a file descriptor, which is what this process is short of.
        return Problem(503, str(error), {**NO_STORE, "Retry-After": "5", "Connection": "close"})
    if isinstance(error, BadRequest):
        later = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return Problem(error.status, error.detail, {**NO_STORE, **later})
    if isinstance(error, LogUnavailable):
        logger.error("the log is unavailable: %s", error)
        detail = "The chat log cannot be reached. Nothing was lost; try again in a moment."
        return Problem(503, detail, {**NO_STORE, "Retry-After": "1"})
    logger.error("the request failed", exc_info=error)
    return Problem(500, DEFAULT_ERROR)


def error_response(error: Exception) -> Response:
    """Return the JSON answer to an error: ``{"detail": …}``."""
    problem = problem_of(error)
    return JSONResponse({"detail": problem.detail}, problem.status, problem.headers)


def refusal(sent: Sent) -> BadRequest | None:
    """Return why a send was not taken: 409 while the chat is busy, 422 for a run id used twice."""
    match sent:
        case Busy():
            detail = "Stream already in use: an answer is still being written. Wait for it, or stop it."
            return BadRequest(409, detail, retry_after=sent.retry_after)
        case Used():
            return BadRequest(409, "This stream has had its answer already. Use a new stream for each answer.")
        case Conflict():
            detail = "This runId was sent before with another message. Use a new runId for each message."
            return BadRequest(422, detail)
    return None
