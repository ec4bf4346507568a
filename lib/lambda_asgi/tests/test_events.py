"""Events to scopes, and the prelude of streamed responses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.handlers import ALB, APIGateway, HTTPGateway

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


@pytest.mark.parametrize(
    ("base", "path", "seen"),
    [
        ("/v1", "/v1/chat", "/chat"),
        ("v1", "/v1/chat", "/chat"),
        ("/v1/", "/v1/chat", "/chat"),
        ("/v1/", "/v1/", "/"),
        ("/v1", "/v1", "/"),
        ("/v1", "/v1chat", "/v1chat"),
        ("/v1", "/chat/v1", "/chat/v1"),
        ("/a/b", "/a/b/c", "/c"),
        ("/", "/v1/chat", "/v1/chat"),
        ("", "/v1/chat", "/v1/chat"),
    ],
)
@pytest.mark.parametrize("front", ["rest", "url", "alb", "alb-multi", "http-1.0"])
def test_base_path(front: str, base: str, path: str, seen: str) -> None:
    """A custom domain's path is taken off the front of every kind of event, at a slash."""
    assert HttpEvent(EVENTS[front](path), None, base).scope["path"] == seen


def alb(path: str, *, multi: bool = False) -> dict[str, Any]:
    """An Application Load Balancer's event."""
    named: dict[str, Any] = {"headers": {"accept": "*/*", "host": "lb.example", "x-forwarded-for": "1.2.3.4, 5.6.7.8"}}
    asked: dict[str, Any] = {"queryStringParameters": {"a": "x%20y", "b": "1"}}
    if multi:
        named = {"multiValueHeaders": {"accept": ["*/*"], "x-twice": ["1", "2"], "host": ["lb.example"]}}
        asked = {"multiValueQueryStringParameters": {"a": ["x%20y", "z"]}}
    about = {"requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "GET", "path": path}
    return {**about, **named, **asked, "body": "", "isBase64Encoded": False}


def http_1(path: str) -> dict[str, Any]:
    """An HTTP API's event in format 1.0."""
    return {**gateway.event("rest", "GET", path, [("accept", "*/*")], b""), "version": "1.0"}


EVENTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "rest": lambda path: gateway.event("rest", "GET", path, [("x-twice", "1"), ("x-twice", "2")], b""),
    "url": lambda path: gateway.event("url", "GET", path, [("cookie", "a=1"), ("accept", "*/*")], b""),
    "alb": alb,
    "alb-multi": lambda path: alb(path, multi=True),
    "http-1.0": http_1,
}
MANGUM: dict[str, Any] = {"rest": APIGateway, "url": HTTPGateway, "alb": ALB, "alb-multi": ALB, "http-1.0": HTTPGateway}


@pytest.mark.parametrize("front", EVENTS)
@pytest.mark.parametrize("path", ["/a%20b/c?x=1&x=%C3%A4", "/", "/%E6%97%A5"])
def test_requests_are_read_as_mangum_reads_them(front: str, path: str) -> None:
    """An app that moves here from Mangum sees the same method, path, query and headers."""
    sent = EVENTS[front](path)
    config = {"api_gateway_base_path": "/", "text_mime_types": DEFAULT_TEXT_MIME_TYPES, "exclude_headers": []}
    theirs, ours = MANGUM[front](sent, None, config).scope, HttpEvent(sent, None).scope
    for key in ("type", "method", "path", "query_string", "scheme", "root_path"):
        assert ours[key] == theirs[key], key
    assert sorted(map(tuple, ours["headers"])) == sorted(map(tuple, theirs["headers"]))


@pytest.mark.parametrize("front", EVENTS)
def test_answers_are_written_as_mangum_writes_them(front: str) -> None:
    """Repeated headers, cookies, text and bytes have the form that each kind of sender wants."""
    sent = EVENTS[front]("/")
    config = {"api_gateway_base_path": "/", "text_mime_types": DEFAULT_TEXT_MIME_TYPES, "exclude_headers": []}
    for kind, body in ((b"application/json", b"{}"), (b"image/png", b"\xff\0"), (b"text/plain", b"")):
        headers = [(b"content-type", kind), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-one", b"1")]
        theirs = MANGUM[front](sent, None, config)({"status": 201, "headers": headers, "body": body})
        assert HttpEvent(sent, None).answer(201, headers, body) == theirs


@pytest.mark.parametrize(
    "kind",
    [
        "application/problem+json",
        "image/svg+xml",
        "application/x-ndjson",
        "application/ndjson; charset=utf-8",
        "text/event-stream",
        "TEXT/CSV",
        "application/vnd.api+json",
        "application/atom+xml",
        "application/javascript",
    ],
)
def test_text_is_sent_as_text(kind: str) -> None:
    """Any type whose bodies are text by its name needs no base64."""
    event = HttpEvent(EVENTS["rest"]("/"), None)
    answer = event.answer(200, [(b"content-type", kind.encode())], "grün".encode())
    assert (answer["body"], answer["isBase64Encoded"]) == ("grün", False)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"content-type", b"image/png")], b"abc"),
        ([], b"abc"),
        ([(b"content-type", b"text/plain")], b"\xff"),
        ([(b"content-type", b"text/plain; charset=iso-8859-1")], b"abc"),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"gzip")], b"abc"),
    ],
)
def test_all_else_is_base64(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Binary, unnamed, wrongly named and compressed bodies, and text that is not UTF-8."""
    answer = HttpEvent(EVENTS["url"]("/"), None).answer(200, headers, body)
    assert answer["isBase64Encoded"] and base64.b64decode(answer["body"]) == body


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_a_malformed_event_is_unknown(front: str, data: st.DataObject) -> None:
    """Whatever stands in the place of a field, the event is read or refused as what it is."""
    sent = EVENTS[front]("/a")
    name = data.draw(st.sampled_from(sorted(sent)))
    sent[name] = data.draw(json_values)
    try:
        HttpEvent(sent, None)
    except UnknownEvent:
        pass


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
