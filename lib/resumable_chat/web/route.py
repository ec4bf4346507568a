"""One route of the chat, as the functions, ``chat_router`` and the template's test need to know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from .errors import error_response
from .host import Host

Function = Literal["send", "replay", "stop"]

PREFIX: Final = "/api"


@dataclass(frozen=True, slots=True)
class Route:
    """One route: the function that serves it, whether its response streams, and its part of the OpenAPI document.

    ``path`` may have parameters in braces, which are in ``request.path_params``. ``failed`` makes the answer to an
    error that ``endpoint`` raises.
    """

    function: Function
    method: str
    path: str
    endpoint: Callable[[Host, Request], Awaitable[Response]]
    streams: bool
    summary: str
    document: Mapping[str, Any]
    success: Mapping[int | str, dict[str, Any]]
    failed: Callable[[Exception], Response] = error_response
