"""What stands in front of functions: HTTP requests as events of API Gateway and function URLs, and answers back.

Shapes: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html and
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (an HTTP API's format 2.0 is the same).
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Front = Literal["rest", "url"]
Headers = Iterable[tuple[str, str]]
_TEXTS = ("text/", "application/json", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer as it goes to the client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


def event(
    front: Front, method: str, target: str, headers: Headers, body: bytes, authorizer: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The event that a REST API ("rest") or a function URL ("url") makes of a request."""
    make = _rest if front == "rest" else _url
    return make(method, target, list(headers), body, authorizer)


def _rest(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    url = urlsplit(target)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    multi: dict[str, list[str]] = {}
    for name, value in headers:
        multi.setdefault(name, []).append(value)
    now = time.time()
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": "local",
        "domainName": "localhost",
        "httpMethod": method,
        "identity": {"sourceIp": "127.0.0.1", "userAgent": dict(headers).get("user-agent")},
        "path": f"/local{url.path}",
        "protocol": "HTTP/1.1",
        "requestId": str(uuid.uuid4()),
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now * 1000),
        "resourcePath": url.path,
        "stage": "local",
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return {
        "resource": url.path,
        "path": unquote(url.path),
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in multi.items()} or None,
        "multiValueHeaders": multi or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": context,
        **_body(headers, body),
    }


def _url(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    url = urlsplit(target)
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in headers:
        if name == "cookie":
            cookies += value.split("; ")
        else:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    now = time.time()
    context: dict[str, Any] = {
        "accountId": "anonymous",
        "apiId": "local",
        "domainName": "localhost",
        "domainPrefix": "local",
        "http": {
            "method": method,
            "path": url.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": joined.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": "$default",
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": url.path,
        "rawQueryString": url.query,
        "headers": joined,
        "requestContext": context,
        **_body(headers, body),
    }
    if cookies:
        found["cookies"] = cookies
    if url.query:
        query: dict[str, str] = {}
        for name, value in parse_qsl(url.query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        found["queryStringParameters"] = query
    return found


def _body(headers: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    if not body:
        return {"body": None, "isBase64Encoded": False}
    if dict(headers).get("content-type", "").startswith(_TEXTS):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def answer(front: Front, payload: bytes) -> HttpAnswer:
    """What the client gets for a function's whole response; 502 if it has not the form that was asked for."""
    try:
        found = json.loads(payload)
        body = found.get("body") or ""
        raw = base64.b64decode(body) if found.get("isBase64Encoded") else body.encode()
        headers = [(name, str(value)) for name, value in (found.get("headers") or {}).items()]
        for name, values in (found.get("multiValueHeaders") or {}).items():
            headers += [(name, str(value)) for value in values]
        headers += [("set-cookie", cookie) for cookie in found.get("cookies") or ()]
        return HttpAnswer(int(found["statusCode"]), _passed_on(headers), raw)
    except (ValueError, LookupError, TypeError, AttributeError):
        return refusal(front, 502)


def head(prelude: bytes) -> HttpAnswer:
    """Status and headers of a streamed response. Raises ValueError."""
    found = json.loads(prelude)
    headers = [(name, str(value)) for name, value in (found.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in found.get("cookies") or ()]
    return HttpAnswer(int(found.get("statusCode", 200)), _passed_on(headers))


def refusal(front: Front, status: int) -> HttpAnswer:
    """What the gateway says itself when a function fails (502), is throttled (429), takes too long (504) …"""
    said = {
        401: "Unauthorized",
        404: "Not Found",
        413: "Request Too Long",
        429: "Too Many Requests",
        502: "Internal server error" if front == "rest" else "Internal Server Error",
        504: "Endpoint request timed out",
    }
    key = "message" if front == "rest" else "Message"
    return HttpAnswer(
        status, [("content-type", "application/json")], json.dumps({key: said.get(status, "Error")}).encode()
    )


def _passed_on(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in ("content-length", "transfer-encoding")]
