"""The REST API: what streams, how long it may take, who may call the functions, and pages of other origins."""

from __future__ import annotations

import re
from typing import Any

import airspeed
import pytest

from resumable_chat.web.cors import ALLOWED_HEADERS, ALLOWED_METHODS, PREFLIGHT_SECONDS

from .cloudformation import AUTHS, GIVEN, Refused, Stack, source

APP, OTHER, THIRD = "https://app.example.com", "http://localhost:5173", "https://beta.example.com"
OPEN = {**GIVEN, **AUTHS["None"]}
ROUTES = {
    "SendFunction": ("/api/chat", "post"),
    "StopFunction": ("/api/chat", "delete"),
    "ReplayFunction": ("/api/chat/replay", "get"),
}
MAX_BUFFERED_MS, MAX_STREAMED_MS = 29_000, 900_000
"""API Gateway's limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html"""


def integration(stack: Stack, function: str) -> dict[str, Any]:
    path, method = ROUTES[function]
    found: dict[str, Any] = stack.api["paths"][path][method]["x-amazon-apigateway-integration"]
    return found


@pytest.mark.parametrize(
    ("parameters", "streaming"),
    [
        ({}, {"ReplayFunction"}),
        ({"Mode": "shared"}, {"ReplayFunction", "SendFunction"}),
        ({"Mode": "single-use", "Delivery": "replay"}, {"ReplayFunction"}),
        ({"Delivery": "response", "FunctionUrls": "true"}, {"ReplayFunction"}),
    ],
)
def test_what_streams(parameters: dict[str, str], streaming: set[str]) -> None:
    """Integration, function and function URL agree; a streaming integration has its own address."""
    stack = Stack(**OPEN, **{"FunctionUrls": "true", **parameters})
    for function in ROUTES:
        streams = function in streaming
        found = integration(stack, function)
        assert found["type"] == "aws_proxy" and found["httpMethod"] == "POST"
        date, ending = ("2021-11-15", "response-streaming-invocations") if streams else ("2015-03-31", "invocations")
        assert found["uri"].endswith(f":lambda:path/{date}/functions/<{function}.Arn>/{ending}")
        assert found.get("responseTransferMode", "BUFFERED") == ("STREAM" if streams else "BUFFERED")
        assert found["timeoutInMillis"] <= (MAX_STREAMED_MS if streams else MAX_BUFFERED_MS)
        mode = stack.environment(function)["LAMBDA_ASGI_RESPONSE_MODE"]
        assert mode == ("streaming" if streams else "buffered")
        url = stack.of_type("AWS::Lambda::Url")[function.replace("Function", "Url")]
        assert url["TargetFunctionArn"] == f"<{function}>"
        assert url["InvokeMode"] == ("RESPONSE_STREAM" if streams else "BUFFERED")


def test_a_stream_may_last_as_long_as_its_function() -> None:
    """The API does not cut what the function may still say."""
    stack = Stack(**OPEN)
    timeout = stack.resources["ReplayFunction"]["Properties"]["Timeout"]
    assert integration(stack, "ReplayFunction")["timeoutInMillis"] >= timeout * 1000


def test_the_endpoint_is_regional() -> None:
    """An edge-optimised one ends a stream after 30 silent seconds, a regional one after five minutes."""
    assert Stack(**OPEN).resources["ChatApi"]["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_the_api_may_call_each_function_for_its_route_only() -> None:
    """A permission for each, and no other that lets anyone else in."""
    permissions = Stack(**OPEN).of_type("AWS::Lambda::Permission").values()
    found = {(p["FunctionName"], p["Principal"], p["SourceArn"].split(":", 5)[5]) for p in permissions}
    assert found == {
        (f"<{function}>", "apigateway.amazonaws.com", f"<ChatApi>/*/{method.upper()}{path}")
        for function, (path, method) in ROUTES.items()
    }


def test_a_changed_choice_reaches_the_stage() -> None:
    """SAM's hash of the API does not see what parameters change in it, so every deployment makes a new one."""
    assert source()["Resources"]["ChatApi"]["Properties"]["AlwaysDeploy"] is True


def test_the_stage_is_throttled() -> None:
    """All routes, by the parameters."""
    [stage] = Stack(**OPEN, RateLimit="7", BurstLimit="9").of_type("AWS::ApiGateway::Stage").values()
    [settings] = stage["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert (str(settings["ThrottlingRateLimit"]), str(settings["ThrottlingBurstLimit"])) == ("7", "9")


def test_access_logs_and_traces_can_be_had() -> None:
    """Off by default; the account's role for them is only touched when asked for."""
    for value, logs, role in (("off", False, False), ("on", True, False), ("with-role", True, True)):
        stack = Stack(**OPEN, AccessLogs=value, Tracing="true" if logs else "false")
        [stage] = stack.of_type("AWS::ApiGateway::Stage").values()
        assert ("AccessLogSetting" in stage) is logs is ("ApiLogs" in stack.resources) is stage["TracingEnabled"]
        assert ("ApiAccount" in stack.resources) is role
        if logs:
            assert stage["AccessLogSetting"]["DestinationArn"] == "<ApiLogs.Arn>"
            assert "$context.requestId" in stage["AccessLogSetting"]["Format"]
            group = stack.resources["ApiLogs"]["Properties"]
            assert ("<ApiAccount>" in str(group.get("Tags"))) is role  # the stage needs the group, the group the role


class _Input:
    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def params(self, name: str) -> str:
        return self._headers.get(name, "")


def preflight(stack: Stack, path: str, headers: dict[str, str]) -> dict[str, str]:
    """The headers of the API's own answer to OPTIONS."""
    response = stack.api["paths"][path]["options"]["x-amazon-apigateway-integration"]["responses"]["default"]
    prefix = "method.response.header."
    static = {name.removeprefix(prefix): value[1:-1] for name, value in response["responseParameters"].items()}
    context: dict[str, Any] = {"responseOverride": {"header": {}}}
    template = airspeed.Template(response["responseTemplates"]["application/json"])
    body = template.merge({"input": _Input(headers), "context": context})
    assert not body.strip()
    return {**static, **context["responseOverride"]["header"]}


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/replay"])
@pytest.mark.parametrize("name", ["origin", "Origin"])
@pytest.mark.parametrize("others", ["", f"{OTHER},{THIRD}"])
def test_a_preflight_allows_the_named_origins(path: str, name: str, others: str) -> None:
    """Each by its own name, with the headers and methods that the app allows, and no cookies."""
    stack = Stack(**OPEN, CorsOrigin=APP, OtherCorsOrigins=others)
    for origin in [APP, *filter(None, others.split(","))]:
        headers = preflight(stack, path, {name: origin})
        assert headers["Access-Control-Allow-Origin"] == origin
        assert {*ALLOWED_HEADERS} <= {*headers["Access-Control-Allow-Headers"].split(",")}
        assert {*ALLOWED_METHODS} <= {*headers["Access-Control-Allow-Methods"].split(",")}
        assert headers["Access-Control-Max-Age"] == str(PREFLIGHT_SECONDS) and headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example.com"}, {"origin": "*"}, {"origin": '","'}])
@pytest.mark.parametrize("origins", [{}, {"CorsOrigin": APP}, {"CorsOrigin": APP, "OtherCorsOrigins": OTHER}])
def test_a_preflight_allows_nobody_else(headers: dict[str, str], origins: dict[str, str]) -> None:
    """Also when no origin is configured."""
    assert "Access-Control-Allow-Origin" not in preflight(Stack(**OPEN, **origins), "/api/chat", headers)


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        ({}, None),
        ({"CorsOrigin": APP}, f"'{APP}'"),
        ({"CorsOrigin": APP, "OtherCorsOrigins": OTHER}, "method.request.header.Origin"),
    ],
)
def test_the_apis_own_errors_can_be_read_by_the_page(origins: dict[str, str], expected: str | None) -> None:
    """A refused token is a 401 for the page and not a lost network, in the form of the app's own errors."""
    responses = Stack(**OPEN, **origins).api["x-amazon-apigateway-gateway-responses"]
    for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
        name = "gatewayresponse.header.Access-Control-Allow-Origin"
        assert responses[kind]["responseParameters"].get(name) == expected
        assert responses[kind]["responseTemplates"]["application/json"].startswith('{"detail":')


def test_the_functions_and_their_urls_allow_the_same_origins() -> None:
    """The app's headers on the API, the URL's own on the URL."""
    stack = Stack(**OPEN, CorsOrigin=APP, OtherCorsOrigins=f"{OTHER},{THIRD}", FunctionUrls="true")
    for function in ROUTES:
        assert stack.environment(function)["CHAT_CORS_ORIGINS"] == f"{APP},{OTHER},{THIRD}"
        cors = stack.of_type("AWS::Lambda::Url")[function.replace("Function", "Url")]["Cors"]
        assert cors["AllowOrigins"] == [APP, OTHER, THIRD] and not cors.get("AllowCredentials")
        assert {header.lower() for header in ALLOWED_HEADERS} <= {*cors["AllowHeaders"]}
    assert Stack(**OPEN, CorsOrigin=APP).environment("SendFunction")["CHAT_CORS_ORIGINS"] == APP
    assert "Cors" not in Stack(**OPEN, FunctionUrls="true").of_type("AWS::Lambda::Url")["SendUrl"]


@pytest.mark.parametrize("wrong", ["*", "https://*.example.com", f"{APP}/", "app.example.com", f'{APP}","x', f"{APP} "])
def test_what_is_not_an_origin_is_refused(wrong: str) -> None:
    """By the parameters' patterns, before anything is deployed."""
    parameters = source()["Parameters"]
    assert re.search(parameters["CorsOrigin"]["AllowedPattern"], APP)
    assert re.search(parameters["OtherCorsOrigins"]["AllowedPattern"], f"{OTHER},{THIRD}")
    for name in ("CorsOrigin", "OtherCorsOrigins"):
        assert not re.search(parameters[name]["AllowedPattern"], wrong)


def test_other_origins_without_a_first_are_refused() -> None:
    """Rather than half of them working."""
    with pytest.raises(Refused, match="CorsOrigin"):
        Stack(**OPEN, OtherCorsOrigins=OTHER)
