"""The kinds of events. Each knows how its request is written, and in which form its answer is wanted.

* REST API, and HTTP API with payload format 1.0:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
* HTTP API with payload format 2.0, and function URL:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
* load balancer: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Protocol
from urllib.parse import unquote_plus, urlencode

from .parts import Header, answer_body, multiple, single


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as an event has it: ``path`` is not decoded, header names are in lower case."""

    method: str
    path: str
    query: bytes
    headers: list[Header]
    client: str


class Kind(Protocol):
    """One kind of event."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Return whether the event is of this kind."""
        ...

    def request(self, event: Mapping[str, Any]) -> HttpRequest:
        """Return the request. Raises LookupError, TypeError, ValueError, AttributeError for a malformed event."""
        ...

    def answer(self, event: Mapping[str, Any], status: int, headers: Sequence[Header], body: bytes) -> dict[str, Any]:
        """Return the whole response in the form that the event's sender wants."""
        ...


class LoadBalancer:
    """An Application Load Balancer's event, with or without multi-value headers."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return "elb" in (event.get("requestContext") or {})

    def request(self, event: Mapping[str, Any]) -> HttpRequest:
        headers = multiple(event["multiValueHeaders"]) if "multiValueHeaders" in event else single(event.get("headers"))
        parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
        # A load balancer leaves query parameters encoded; encoding them as they are would do it twice.
        query = [
            (unquote_plus(name), unquote_plus(value))
            for name, values in parameters.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        client = dict(headers).get("x-forwarded-for", "").split(",")[0].strip()
        return HttpRequest(event["httpMethod"], event.get("path", "/"), urlencode(query).encode(), headers, client)

    def answer(self, event: Mapping[str, Any], status: int, headers: Sequence[Header], body: bytes) -> dict[str, Any]:
        text, encoded = answer_body(body, headers)
        values: dict[str, list[str]] = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(value)
        answer = {"statusCode": status, "body": text, "isBase64Encoded": encoded}
        if "multiValueHeaders" in event:
            return {**answer, "multiValueHeaders": values}
        return {**answer, "headers": dict(pair for name, of_name in values.items() for pair in _cased(name, of_name))}


class RestApi:
    """A REST API's event, or an HTTP API's in format 1.0."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return "requestContext" in event and "httpMethod" in event and event.get("version", "1.0") == "1.0"

    def request(self, event: Mapping[str, Any]) -> HttpRequest:
        headers = {name: [value] for name, value in single(event.get("headers"))}
        for name, _ in several(event):
            headers[name] = []
        for name, value in several(event):
            headers[name].append(value)
        parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
        identity = event["requestContext"].get("identity") or {}
        return HttpRequest(
            event["httpMethod"],
            event["path"],
            urlencode(parameters, doseq=True).encode(),
            [(name, ", ".join(values)) for name, values in headers.items()],
            identity.get("sourceIp") or "",
        )

    def answer(self, event: Mapping[str, Any], status: int, headers: Sequence[Header], body: bytes) -> dict[str, Any]:
        text, encoded = answer_body(body, headers)
        values: dict[str, list[str]] = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(value)
        return {
            "statusCode": status,
            "headers": {name: of_name[0] for name, of_name in values.items() if len(of_name) == 1},
            "multiValueHeaders": {name: of_name for name, of_name in values.items() if len(of_name) > 1},
            "body": text,
            "isBase64Encoded": encoded,
        }


class HttpApi:
    """An HTTP API's event in format 2.0, or a function URL's."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        return event.get("version") == "2.0" and "http" in (event.get("requestContext") or {})

    def request(self, event: Mapping[str, Any]) -> HttpRequest:
        http = event["requestContext"]["http"]
        headers = single(event.get("headers"))
        cookies = event.get("cookies") or []
        if cookies:
            headers = [*((name, value) for name, value in headers if name != "cookie"), ("cookie", "; ".join(cookies))]
        query = str(event.get("rawQueryString") or "").encode()
        return HttpRequest(http["method"], http["path"], query, headers, http.get("sourceIp") or "")

    def answer(self, event: Mapping[str, Any], status: int, headers: Sequence[Header], body: bytes) -> dict[str, Any]:
        text, encoded = answer_body(body, headers)
        joined: dict[str, str] = {}
        cookies: list[str] = []
        for name, value in headers:
            key = name.lower()
            if key == "set-cookie":
                cookies.append(value)
            else:
                joined[key] = f"{joined[key]},{value}" if key in joined else value
        return {
            "statusCode": status,
            "headers": joined,
            "cookies": cookies,
            "body": text,
            "isBase64Encoded": encoded,
        }


def several(event: Mapping[str, Any]) -> list[Header]:
    """Return the multi-value headers of a REST API's event."""
    return multiple(event.get("multiValueHeaders"))


def _cased(name: str, values: Sequence[str]) -> list[Header]:
    """Return one header for each value, told apart by the case of letters: the only way to repeat one here."""
    if len(values) == 1:
        return [(name, values[0])]
    letters = [sorted({letter.lower(), letter.upper()}, reverse=True) for letter in reversed(name)]
    return list(
        zip(("".join(reversed(casing)) for casing in islice(product(*letters), len(values))), values, strict=False)
    )


KINDS: tuple[Kind, ...] = (LoadBalancer(), HttpApi(), RestApi())
