"""The Runtime API and the Extensions API of Lambda.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and …/runtimes-extensions-api.html; streamed
responses as in …/runtimes-custom.html#runtimes-custom-response-streaming.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from .errors import RuntimeApiError, StreamBroken, TooLate, described, kind, x_ray_cause
from .http1 import Answer, Connection, Headers

_RUNTIME: Final = "/2018-06-01/runtime"
_EXTENSION: Final = "/2020-01-01/extension"
_JSON: Final = ("Content-Type", "application/json")
_PRELUDE_END: Final = b"\0" * 8

TOO_LATE: Final = 410
"""Lambda's status for an answer to an invocation that it has given up."""


@dataclass(frozen=True, slots=True)
class Next:
    """One invocation: its event as it came, and what Lambda says about it.

    ``deadline_ms`` is ms since 1970. ``invocation_id`` is sent back with the answer, so that a late one cannot reach a
    later invocation with the same request id; None where Lambda does not send one. ``tenant_id`` names the tenant of a
    function with tenant isolation.
    """

    request_id: str
    event: bytes
    deadline_ms: int
    function_arn: str
    trace_id: str | None
    client_context: str | None
    cognito_identity: str | None
    invocation_id: str | None = None
    tenant_id: str | None = None


class RuntimeApi:
    """One loop's way to the Runtime API: invocations one after the other. All calls raise RuntimeApiError."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._connection = Connection(*address)

    async def next(self) -> Next:
        """Wait for the next invocation, for as long as it takes: Lambda freezes the process in here."""
        answer = await self._connection.request("GET", f"{_RUNTIME}/invocation/next", seconds=None)
        _check(answer, "The next invocation")
        headers = answer.headers
        return Next(
            request_id=headers["lambda-runtime-aws-request-id"],
            event=answer.body,
            deadline_ms=int(headers.get("lambda-runtime-deadline-ms", 0)),
            function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
            trace_id=headers.get("lambda-runtime-trace-id"),
            client_context=headers.get("lambda-runtime-client-context"),
            cognito_identity=headers.get("lambda-runtime-cognito-identity"),
            invocation_id=headers.get("lambda-runtime-invocation-id"),
            tenant_id=headers.get("lambda-runtime-aws-tenant-id"),
        )

    async def respond(self, call: Next, payload: bytes) -> None:
        """Send a whole response. Raises TooLate, too."""
        target = f"{_RUNTIME}/invocation/{call.request_id}/response"
        headers = [_JSON, *_invocation(call)]
        _check(await self._connection.request("POST", target, headers, payload), "The response")

    def stream(self, call: Next) -> ResponseStream:
        """Return a response sent in parts, over a connection of its own: Lambda closes it afterwards."""
        return ResponseStream(Connection(*self._address), call)

    async def invocation_error(self, call: Next, error: BaseException) -> None:
        """Report that the invocation failed. Raises TooLate, too."""
        await self._report(f"{_RUNTIME}/invocation/{call.request_id}/error", error, _invocation(call))

    async def init_error(self, error: BaseException) -> None:
        """Report that the function cannot start. The process must end after it."""
        await self._report(f"{_RUNTIME}/init/error", error)

    async def restore_next(self) -> None:
        """Say that init is over, and wait to be restored: Lambda takes its snapshot of the process in here."""
        _check(await self._connection.request("GET", f"{_RUNTIME}/restore/next", seconds=None), "The restore")

    async def restore_error(self, error: BaseException) -> None:
        """Report that the function cannot be restored. The process must end after it."""
        await self._report(f"{_RUNTIME}/restore/error", error)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _report(self, target: str, error: BaseException, invocation: Headers = ()) -> None:
        payload = json.dumps(described(error)).encode()
        headers = [
            _JSON,
            ("Lambda-Runtime-Function-Error-Type", kind(error)),
            ("Lambda-Runtime-Function-XRay-Error-Cause", x_ray_cause(error)),
            *invocation,
        ]
        _check(await self._connection.request("POST", target, headers, payload), "The error report")


class ResponseStream:
    """One streamed response: ``start``, any number of ``write``, then ``end`` or ``fail``. Raises StreamBroken.

    Each waits while the reader is slower; only the caller's deadline says for how long.
    """

    def __init__(self, connection: Connection, call: Next) -> None:
        self._connection = connection
        self._call = call

    async def start(self, prelude: Mapping[str, Any]) -> None:
        """Send status, headers and cookies (``{statusCode, headers, cookies}``) on their way at once."""
        with _broken():
            await self._connection.begin(
                "POST",
                f"{_RUNTIME}/invocation/{self._call.request_id}/response",
                [
                    *_invocation(self._call),
                    ("Lambda-Runtime-Function-Response-Mode", "streaming"),
                    ("Content-Type", "application/vnd.awslambda.http-integration-response"),
                    ("Transfer-Encoding", "chunked"),
                    ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"),
                ],
            )
        await self.write(json.dumps(prelude).encode() + _PRELUDE_END)

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        with _broken():
            await self._connection.send(data)

    async def gone(self) -> None:
        """Return once nobody takes the response any more."""
        await self._connection.gone()

    async def end(self) -> None:
        """The response is whole."""
        await self._finish(())

    async def fail(self, error: BaseException) -> None:
        """End the response as broken off, so that its reader can tell it from a whole one."""
        body = base64.b64encode(json.dumps(described(error)).encode()).decode()
        await self._finish(
            (
                ("Lambda-Runtime-Function-Error-Type", kind(error)),
                ("Lambda-Runtime-Function-Error-Body", body),
            )
        )

    async def close(self) -> None:
        """Let go of the connection; a response that was not ended is broken off."""
        await self._connection.close()

    async def _finish(self, trailers: tuple[tuple[str, str], ...]) -> None:
        try:
            with _broken():
                _check(await self._connection.finish(trailers), "The streamed response")
        finally:
            await self._connection.close()


@contextmanager
def _broken() -> Generator[None]:
    try:
        yield
    except RuntimeApiError as error:
        raise StreamBroken(str(error)) from error


class Extension:
    """An internal extension: the process itself, seen by Lambda as one more that must be at rest before a freeze."""

    def __init__(self, address: tuple[str, int], name: str = "lambda_asgi") -> None:
        self._connection = Connection(*address)
        self._name = name
        self._id = ""

    async def register(self, *events: str) -> None:
        """Register for these events, before the first ``next`` of anybody. Raises RuntimeApiError."""
        payload = json.dumps({"events": list(events)}).encode()
        answer = await self._connection.request(
            "POST", f"{_EXTENSION}/register", [_JSON, ("Lambda-Extension-Name", self._name)], payload
        )
        _check(answer, "Registering an extension")
        self._id = answer.headers.get("lambda-extension-identifier", "")

    async def next(self) -> dict[str, Any]:
        """Say that this extension is at rest, and wait for the next event. Raises RuntimeApiError."""
        headers = [("Lambda-Extension-Identifier", self._id)]
        answer = await self._connection.request("GET", f"{_EXTENSION}/event/next", headers, seconds=None)
        _check(answer, "The next event")
        event: dict[str, Any] = json.loads(answer.body)
        return event

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


def _invocation(call: Next) -> Headers:
    return [("Lambda-Runtime-Invocation-Id", call.invocation_id)] if call.invocation_id else []


def _check(answer: Answer, what: str) -> None:
    if answer.status == TOO_LATE:
        raise TooLate(f"{what} came too late: Lambda has given the invocation up.", answer.status)
    if not 200 <= answer.status < 300:
        said = answer.body[:500].decode(errors="replace")
        raise RuntimeApiError(f"{what} was refused: {answer.status} {said}", answer.status)
