"""Events of API Gateway, function URLs and load balancers: to ASGI scopes by Mangum's adapters, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.handlers import ALB, APIGateway, HTTPGateway
from mangum.types import LambdaConfig

from .errors import UnknownEvent

_ADAPTERS: Final = (ALB, HTTPGateway, APIGateway)
_OF_ONE_CONNECTION: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})

_ADDRESS: Final = ("host", "x-forwarded-port")

RawHeaders = Iterable[tuple[bytes, bytes]]


class HttpEvent:
    """One HTTP request: REST API (v1), HTTP API (v1 and v2), function URL, or load balancer. Raises UnknownEvent.

    ``scope`` is the ASGI scope with ``aws.event`` and ``aws.context`` in it, ``body`` the request's body.
    """

    def __init__(self, event: Any, context: Any, base_path: str = "/") -> None:
        config = LambdaConfig(
            api_gateway_base_path=base_path, text_mime_types=[*DEFAULT_TEXT_MIME_TYPES], exclude_headers=[]
        )
        if not isinstance(event, dict):
            raise UnknownEvent(f"The event is {type(event).__name__}, not an object.")
        try:
            adapter = next(kind for kind in _ADAPTERS if kind.infer(event, context, config))
            event_without, address = _without_address(event)
            self._adapter = adapter(event_without, context, config)
            self.scope: dict[str, Any] = dict(self._adapter.scope) | {"aws.event": event}
            self.body: bytes = self._adapter.body
        except (StopIteration, LookupError, TypeError, ValueError, AttributeError) as error:
            raise UnknownEvent(
                "The event is not an HTTP request of API Gateway, a function URL or a load balancer "
                f"(its keys: {', '.join(sorted(map(str, event)))[:200]})."
            ) from error
        self.scope["asgi"] = {"version": "3.0", "spec_version": "2.3"}
        self.scope["headers"] = [(name, value) for name, value in self.scope["headers"]]
        self.scope["headers"] += [(name.encode(), value.encode()) for name, value in address.items()]
        self.scope["server"] = _server(address)

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> dict[str, Any]:
        """The whole response in the form that the event's sender wants."""
        # Header values are bytes, Latin-1 by custom; Mangum reads them as UTF-8.
        texts = [[part.decode("latin-1").encode() for part in pair] for pair in headers]
        return dict(self._adapter({"status": status, "headers": texts, "body": body}))


def _without_address(event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The event without Host and X-Forwarded-Port, and these: Mangum fails on what it cannot split and count."""
    address: dict[str, str] = {}
    without = dict(event)
    for key in ("headers", "multiValueHeaders"):
        headers = event.get(key) or {}
        for name, value in headers.items():
            if name.lower() in _ADDRESS and value:
                address[name.lower()] = value if isinstance(value, str) else str(value[-1])
        if headers:
            without[key] = {name: value for name, value in headers.items() if name.lower() not in _ADDRESS}
    return without, address


def _server(address: dict[str, str]) -> tuple[str, int]:
    host, forwarded = address.get("host", ""), address.get("x-forwarded-port", "")
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        return name, int(port)
    return host or "localhost", int(forwarded) if forwarded.isdecimal() else 443


def prelude(status: int, headers: RawHeaders) -> dict[str, Any]:
    """What stands before a streamed body: ``{statusCode, headers, cookies}``; headers that repeat are joined."""
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in _OF_ONE_CONNECTION:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return {"statusCode": status, "headers": joined, "cookies": cookies}
