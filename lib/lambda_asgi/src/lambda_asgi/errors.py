"""What goes wrong, as a tree.

* LambdaAsgiError
  * InitError: the function cannot start; the message says what to set
  * UnknownEvent: an event that is not an HTTP request
  * RuntimeApiError: the Runtime API refused a call, or is gone
  * BrokenOff: raise it in a body to break the response off on purpose
  * StreamBroken: the reader of a streamed response is gone (an OSError too, as ASGI asks for)
"""

from __future__ import annotations

import traceback
from typing import Any, Final

_MAX_TEXT: Final = 4096
_MAX_FRAMES: Final = 32
"""What of an error is told: broken-off streams tell it in a header."""


class LambdaAsgiError(Exception):
    """Base class of every error raised on purpose by this package."""


class InitError(LambdaAsgiError):
    """The function cannot start. The message names the setting to change."""


class UnknownEvent(LambdaAsgiError):
    """The event is not an HTTP request that an ASGI app could answer."""


class RuntimeApiError(LambdaAsgiError):
    """The Runtime API refused a call; ``status`` is the HTTP status it gave, 0 when there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class BrokenOff(LambdaAsgiError):
    """Raised by an app in its body: the response ends as broken off, on purpose, which is no failure of the app's."""


class StreamBroken(LambdaAsgiError, OSError):
    """The response cannot be delivered any further: its reader is gone."""


def described(error: BaseException) -> dict[str, Any]:
    """The error as the Runtime API takes it: ``{errorMessage, errorType, stackTrace}``; long ones cut."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an app's error is reported even if it has no text
        text = ""
    frames = traceback.format_tb(error.__traceback__, -_MAX_FRAMES)
    return {
        "errorMessage": text[:_MAX_TEXT],
        "errorType": type(error).__name__,
        "stackTrace": [frame.rstrip("\n")[:_MAX_TEXT] for frame in frames],
    }


def kind(error: BaseException) -> str:
    """The error's type as a header can say it."""
    return "Runtime." + type(error).__name__.encode("ascii", "replace").decode()
