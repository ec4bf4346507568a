"""The chat page of ``examples/chat``, as its build left it, beside the API."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

DIST: Final = Path(__file__).parent.parent / "examples" / "chat" / "dist"

_IMMUTABLE: Final = "public, max-age=31536000, immutable"  # the names in assets/ have a hash of their content
_NO_CACHE: Final = "no-cache"
_SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NOT_BUILT: Final = """\
The chat API is up: POST and DELETE /api/chat, GET /api/chat/replay?id=…

The chat page is not built. `make dev` builds it when Node 20.19 or newer is there (https://nodejs.org).
"""


class Page:
    """An ASGI app for every path that the API does not have: files of the build, else the page itself.

    The page finds its chat in the address, so each address that a browser navigates to is answered with it.
    Answers 404 as JSON below ``/api/``, and says how to build the page where it is not there.
    """

    def __init__(self, directory: Path = DIST) -> None:
        self._directory = directory
        self._files = StaticFiles(directory=directory, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise HTTPException(404)
        response = await self._response(scope)
        await response(scope, receive, send)

    async def _response(self, scope: Scope) -> Response:
        path: str = scope["path"].lstrip("/")
        if scope["method"] not in ("GET", "HEAD") or path.startswith("api/"):
            raise HTTPException(404)
        if path and not path.endswith("/"):
            try:
                response = await self._files.get_response(path, scope)
            except HTTPException as error:
                if error.status_code != 404 or not _navigates(scope) or path.startswith("assets/"):
                    raise
            else:
                response.headers["Cache-Control"] = _IMMUTABLE if path.startswith("assets/") else _NO_CACHE
                return response
        if not (self._directory / "index.html").is_file():
            return PlainTextResponse(_NOT_BUILT, headers={"Cache-Control": "no-store"})
        response = await self._files.get_response("index.html", scope)
        response.headers["Cache-Control"] = _NO_CACHE
        response.headers.update(_SECURITY)
        return response


def _navigates(scope: Scope) -> bool:
    """Whether a browser asks for this as a page, and not for a picture or a script."""
    return "text/html" in Headers(scope=scope).get("accept", "")
