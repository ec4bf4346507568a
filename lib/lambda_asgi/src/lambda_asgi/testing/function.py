"""A function as it would be deployed, and the variables that Lambda sets for it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

MAX_PAYLOAD: Final = 6_291_556
"""Bytes of an event, and of a whole response."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it would be deployed.

    ``command`` is what Lambda would execute (the exec wrapper and the interpreter, say), ``task_root`` the folder of
    its code, ``timeout`` the seconds of one invocation with all that goes on behind it, ``shutdown`` those from SIGTERM
    to SIGKILL. ``url`` opens a function URL. ``concurrency`` makes its environments Managed Instances: that many
    invocations at once, never frozen, and not ended by a time-out. ``snap_start`` is SnapStart: the seconds that an
    environment stays frozen at the end of its init before it is restored; None is without. ``unnamed_answers`` takes
    answers without their invocation's id, which Lambda takes, too, but which a runtime of today should not send.
    """

    name: str
    handler: str
    task_root: Path
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    shutdown: float = 0.5
    max_environments: int = 10
    concurrency: int | None = None
    snap_start: float | None = None
    unnamed_answers: bool = False
    url: Literal["buffered", "streaming"] | None = None

    def variables(self, port: int) -> dict[str, str]:
        """Return the environment of a process whose Runtime API is at this port of the machine."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand" if self.snap_start is None else "snap-start",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": uuid.uuid4().hex,
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "_HANDLER": self.handler,
            **({"AWS_LAMBDA_MAX_CONCURRENCY": str(self.concurrency)} if self.concurrency is not None else {}),
            **self.environ,
        }
