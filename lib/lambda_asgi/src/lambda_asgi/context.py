"""The ``context`` that Lambda handlers know, and what an app may ask of its invocation."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from .runtime_api import Next

_TRACE_FIELDS: Final = ("traceparent", "tracestate", "baggage")
_CLIENT_FIELDS: Final = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

EXTENSION = "lambda_asgi"
"""The key of the ``Invocation`` in the ASGI scope's ``extensions``."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as the app sees it: ``scope["extensions"]["lambda_asgi"]``, or ``invocation(scope)``.

    ``deadline`` is the event loop's time at which Lambda gives the invocation up; ``work_deadline`` the same for work
    handed to ``wait_until`` (None: it may go on, as on Managed Instances); ``streaming`` says whether parts of the
    response leave as they are made.
    """

    request_id: str
    deadline: float
    work_deadline: float | None
    streaming: bool


def invocation(scope: Mapping[str, Any]) -> Invocation | None:
    """The invocation behind an ASGI scope; None when the app does not run under lambda_asgi."""
    found = (scope.get("extensions") or {}).get(EXTENSION)
    return found if isinstance(found, Invocation) else None


class LambdaContext:
    """The attributes and methods of a Lambda handler's second argument; ``scope["aws.context"]``, as with Mangum."""

    def __init__(self, call: Next, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self.aws_request_id = call.request_id
        self.invoked_function_arn = call.function_arn
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.tenant_id = call.tenant_id
        client_context = _object(call.client_context)
        self._w3c = _trace_context(client_context.pop("w3c", None))
        self.client_context = _client_context(client_context) if call.client_context else None
        identity = _object(call.cognito_identity)
        self.identity = SimpleNamespace(
            cognito_identity_id=identity.get("cognitoIdentityId"),
            cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
        )
        self._deadline_ms = call.deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda gives the invocation up; 0 when it is over."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context of the invocation: ``traceparent``, ``tracestate``, ``baggage``, if given."""
        return dict(self._w3c)

    def log(self, message: object) -> None:
        """Write ``message`` to the function's log, as it is."""
        sys.stdout.write(str(message))


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _trace_context(found: Any) -> dict[str, str]:
    fields = found if isinstance(found, dict) else {}
    return {name: fields[name] for name in _TRACE_FIELDS if isinstance(fields.get(name), str)}


def _client_context(found: dict[str, Any]) -> SimpleNamespace:
    """Return what a mobile client says about itself, with the attributes that the managed runtime gives it."""
    client = found.get("client")
    named = SimpleNamespace(**{name: client.get(name) for name in _CLIENT_FIELDS}) if isinstance(client, dict) else None
    return SimpleNamespace(custom=found.get("custom"), env=found.get("env"), client=named)
