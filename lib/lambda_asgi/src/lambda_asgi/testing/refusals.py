"""How Lambda refuses what a runtime or an extension may not do."""

from __future__ import annotations

import json

from .http_server import Request, Response
from .invocations import Invocation


async def too_late(request: Request, response: Response, invocation: Invocation | None, *, unnamed: bool) -> bool:
    """Refuse an answer that names another invocation than the one that runs under this request id.

    Lambda does not check an answer that names none, but this host does unless ``unnamed`` ones are fine: it would show
    up nowhere else.
    """
    given = request.header("lambda-runtime-invocation-id")
    if invocation is None or given == invocation.invocation_id or (unnamed and not given):
        return False
    await request.body()
    if given:
        await refuse(response, 410, "InvokeTimeout", "the invocation was given up")
    else:
        await refuse(response, 400, "InvalidRequest", "Lambda-Runtime-Invocation-Id is missing")
    return True


async def refuse(response: Response, status: int, kind: str, message: str) -> None:
    """Refuse a call of the Runtime API or the Extensions API."""
    payload = {"errorType": kind, "errorMessage": message}
    await response.whole(status, [("Content-Type", "application/json")], json.dumps(payload).encode())
