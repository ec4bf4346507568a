"""What a failed request is answered with."""

from __future__ import annotations

import json

import pytest

from resumable_chat.errors import BadRequest, ConfigurationError, LogUnavailable, Overloaded
from resumable_chat.protocol.claim import Busy, Conflict, Repeated, Used
from resumable_chat.web.errors import error_response, problem_of, refusal


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (BadRequest(400, "id: is missing."), 400, None),
        (BadRequest(409, "Wait.", retry_after=7), 409, "7"),
        (LogUnavailable("gone"), 503, "1"),
        (Overloaded(), 503, "5"),
        (ConfigurationError("secret"), 500, None),
        (ZeroDivisionError("secret"), 500, None),
    ],
)
def test_each_error_has_a_status_and_nothing_is_stored(error: Exception, status: int, retry_after: str | None) -> None:
    """And says when to try again, where that may help; what is not meant for clients stays in the server's log."""
    problem = problem_of(error)
    assert (problem.status, problem.headers.get("Retry-After")) == (status, retry_after)
    assert problem.headers["Cache-Control"] == "no-store"
    assert "secret" not in problem.detail and "gone" not in problem.detail
    response = error_response(error)
    assert response.status_code == status and json.loads(bytes(response.body)) == {"detail": problem.detail}


def test_only_an_internal_error_leaves_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that the log is away."""
    for error, traceback in ((LogUnavailable("gone"), False), (ZeroDivisionError(), True)):
        caplog.clear()
        problem_of(error)
        assert [record.exc_info is not None for record in caplog.records] == [traceback]


def test_what_is_refused_says_why() -> None:
    """A busy chat when to come back; a repeated send is none of them."""
    busy = refusal(Busy(3))
    assert busy is not None and (busy.status, busy.retry_after) == (409, 3)
    for sent, status in ((Used(), 409), (Conflict(), 422)):
        refused = refusal(sent)
        assert refused is not None and refused.status == status
    assert refusal(Repeated()) is None
