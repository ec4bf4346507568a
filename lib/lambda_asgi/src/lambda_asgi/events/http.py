"""One HTTP request of any kind of event, as an ASGI scope."""

from __future__ import annotations

from typing import Any

from ..errors import UnknownEvent
from .kinds import KINDS, Kind
from .parts import app_path, request_body, server
from .prelude import RawHeaders


class HttpEvent:
    """One HTTP request: REST API (v1), HTTP API (v1 and v2), function URL, or load balancer. Raises UnknownEvent.

    ``scope`` is the ASGI scope with ``aws.event`` and ``aws.context`` in it, ``body`` the request's body.
    """

    def __init__(self, event: Any, context: Any, base_path: str = "/") -> None:
        if not isinstance(event, dict):
            raise UnknownEvent(f"The event is {type(event).__name__}, not an object.")
        try:
            self._kind: Kind = next(kind for kind in KINDS if kind.matches(event))
            request = self._kind.request(event)
            self.body = request_body(event)
            self.scope: dict[str, Any] = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "method": request.method.upper(),
                "scheme": dict(request.headers).get("x-forwarded-proto", "https"),
                "path": app_path(request.path, base_path),
                "raw_path": None,
                "root_path": "",
                "query_string": request.query,
                "headers": [(_bytes(name), _bytes(value)) for name, value in request.headers],
                "server": server(request.headers),
                "client": (request.client, 0),
                "aws.event": event,
                "aws.context": context,
            }
        except (StopIteration, LookupError, TypeError, ValueError, AttributeError) as error:
            raise UnknownEvent(
                "The event is not an HTTP request of API Gateway, a function URL or a load balancer "
                f"(its keys: {', '.join(sorted(map(str, event)))[:200]})."
            ) from error
        self._event = event

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> dict[str, Any]:
        """Return the whole response in the form that the event's sender wants."""
        texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        return self._kind.answer(self._event, status, texts, body)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
