"""What goes wrong, as a tree.

* LambdaAsgiError
  * InitError: the function cannot start; the message says what to set
  * RestoreFailed: a hook after a restore failed
  * UnknownEvent: an event that is not an HTTP request
  * RuntimeApiError: the Runtime API refused a call, or is gone
    * TooLate: the invocation was given up before its answer came
  * BrokenOff: raise it in a body to break the response off on purpose
  * StreamBroken: the reader of a streamed response is gone (an OSError too, as ASGI asks for)
"""

from __future__ import annotations

import json
import os
import re
import traceback
from typing import Any, Final

_MAX_TEXT: Final = 4096
_MAX_FRAMES: Final = 32
_MAX_NAME: Final = 200
"""Bounds of an error's description, which is sent as a trailer when a stream breaks off."""


_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.]")


class LambdaAsgiError(Exception):
    """Base class of every error raised on purpose by this package."""


class InitError(LambdaAsgiError):
    """The function cannot start. The message names the setting to change."""


class RestoreFailed(LambdaAsgiError):
    """A hook that runs after a restore from a snapshot failed: this environment cannot be used."""


class UnknownEvent(LambdaAsgiError):
    """The event is not an HTTP request that an ASGI app could answer."""


class RuntimeApiError(LambdaAsgiError):
    """The Runtime API refused a call; ``status`` is the HTTP status it gave, 0 when there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class TooLate(RuntimeApiError):
    """The invocation was given up before its answer came (410): Lambda has told its client so already."""


class BrokenOff(LambdaAsgiError):
    """Raised by an app in its body: the response ends as broken off, on purpose, which is no failure of the app's."""


class StreamBroken(LambdaAsgiError, OSError):
    """The response cannot be delivered any further: its reader is gone."""


def described(error: BaseException) -> dict[str, Any]:
    """Return the error as the Runtime API takes it: ``{errorMessage, errorType, stackTrace}``; long ones are cut."""
    frames = traceback.format_tb(error.__traceback__, -_MAX_FRAMES)
    return {
        "errorMessage": _text(error),
        "errorType": type(error).__name__[:_MAX_NAME],
        "stackTrace": [frame.rstrip("\n")[:_MAX_TEXT] for frame in frames],
    }


def kind(error: BaseException) -> str:
    """Return the error's type in letters that a header may hold."""
    return "Runtime." + _NOT_IN_A_NAME.sub("?", type(error).__name__)[:_MAX_NAME]


def x_ray_cause(error: BaseException) -> str:
    """Return the error as X-Ray shows it: ``{working_directory, exceptions, paths}`` as ASCII JSON."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    stack = [{"label": frame.name, "path": frame.filename, "line": frame.lineno} for frame in frames]
    exception = {"type": type(error).__name__[:_MAX_NAME], "message": _text(error), "stack": stack}
    paths = sorted({frame.filename for frame in frames})
    return json.dumps({"working_directory": os.getcwd(), "exceptions": [exception], "paths": paths})  # noqa: PTH109


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_TEXT]
    except Exception:  # noqa: BLE001 - an app's error is reported even if it has no text
        return ""
