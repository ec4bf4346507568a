"""The ``context`` that Lambda handlers know, and what an app may ask of its invocation."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from .runtime_api import Next

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
    """What the second argument of a Lambda handler has (``scope["aws.context"]``, as Mangum puts it there)."""

    def __init__(self, call: Next, environ: Mapping[str, str] = os.environ) -> None:
        self.aws_request_id = call.request_id
        self.invoked_function_arn = call.function_arn
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.client_context = _parsed(call.client_context)
        identity = _parsed(call.cognito_identity) or {}
        self.identity = SimpleNamespace(
            cognito_identity_id=identity.get("cognitoIdentityId"),
            cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
        )
        self._deadline_ms = call.deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda gives the invocation up; 0 when it is over."""
        return max(0, self._deadline_ms - int(time.time() * 1000))


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
