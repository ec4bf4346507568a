"""Events to scopes, and the prelude of streamed responses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lambda_asgi import UnknownEvent
from lambda_asgi.events import HttpEvent, prelude
from lambda_asgi.testing import gateway


@pytest.mark.parametrize("front", ["rest", "url"])
def test_scope(front: gateway.Front) -> None:
    """Method, path, query, headers and body come through; event and context are kept as they are."""
    sent = gateway.event(
        front, "POST", "/a%20b?x=1&x=2", [("content-type", "image/png"), ("cookie", "c=1; d=2")], b"\xff\0", {"k": "v"}
    )
    context = object()
    event = HttpEvent(sent, context)
    assert event.scope["method"] == "POST"
    assert event.scope["path"] == "/a b"
    assert event.scope["query_string"] == b"x=1&x=2"
    assert dict(event.scope["headers"])[b"cookie"] == b"c=1; d=2"
    assert event.body == b"\xff\0"
    assert event.scope["aws.event"] is sent
    assert event.scope["aws.context"] is context
    assert sent["requestContext"]["authorizer"] == {"k": "v"}


@pytest.mark.parametrize("front", ["rest", "url"])
@pytest.mark.parametrize(
    ("host", "port", "server"),
    [
        ("chat.example", "443", ("chat.example", 443)),
        ("chat.example:8080", "443", ("chat.example", 8080)),
        ("[::1]:8080", "80", ("[::1]", 8080)),
        ("[::1]", "80", ("[::1]", 80)),
        ("a:b:c", "443, 443", ("a:b:c", 443)),
        ("chat.example:", "x", ("chat.example:", 443)),
    ],
)
def test_server(front: gateway.Front, host: str, port: str, server: tuple[str, int]) -> None:
    """Whatever a client says about host and port, its request is served, and the headers are kept."""
    sent = gateway.event(front, "GET", "/", [("host", host), ("x-forwarded-port", port)], b"")
    event = HttpEvent(sent, None)
    assert event.scope["server"] == server
    assert dict(event.scope["headers"]) == {b"host": host.encode(), b"x-forwarded-port": port.encode()}
    assert event.scope["aws.event"] is sent
    assert event.answer(200, [], b"")["statusCode"] == 200


def test_base_path() -> None:
    """A path of a custom domain is taken off the front."""
    event = HttpEvent(gateway.event("rest", "GET", "/v1/chat", [], b""), None, "/v1")
    assert event.scope["path"] == "/chat"


@pytest.mark.parametrize("event", [{}, [], None, "x", {"version": "2.0", "requestContext": {}}, {"Records": [{}]}])
def test_other_events(event: Any) -> None:
    """What is no HTTP request is refused, with the keys that were there."""
    with pytest.raises(UnknownEvent):
        HttpEvent(event, None)


@pytest.mark.parametrize("front", ["rest", "url"])
def test_answer(front: gateway.Front) -> None:
    """An answer gets back through the gateway with status, headers, cookies and bytes."""
    event = HttpEvent(gateway.event(front, "GET", "/", [], b""), None)
    body = bytes(range(256))
    headers = [(b"content-type", b"image/png"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    said = event.answer(203, headers, body)
    assert base64.b64decode(said["body"]) == body
    got = gateway.answer(front, json.dumps(said).encode())
    assert (got.status, got.body) == (203, body)
    assert [value for name, value in got.headers if name == "set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize("front", ["rest", "url"])
def test_headers_that_are_no_ascii(front: gateway.Front) -> None:
    """Header values of any bytes get through: frameworks write them in Latin-1."""
    event = HttpEvent(gateway.event(front, "GET", "/", [], b""), None)
    headers = [(b"content-type", b"text/plain"), (b"x-name", "Grüße".encode("latin-1"))]
    got = gateway.answer(front, json.dumps(event.answer(200, headers, b"x")).encode())
    assert dict(got.headers)["x-name"] == "Grüße"
    assert prelude(200, headers)["headers"]["x-name"] == "Grüße"


def test_prelude() -> None:
    """Cookies are apart, repeated headers are joined, and what belongs to one connection is left out."""
    headers = [
        (b"Set-Cookie", b"a=1"),
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"Content-Length", b"3"),
        (b"connection", b"x"),
    ]
    assert prelude(200, headers) == {"statusCode": 200, "headers": {"x-a": "1, 2"}, "cookies": ["a=1"]}
