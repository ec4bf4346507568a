"""Who may call the API: somebody known, by every choice but the one that says otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resumable_chat.aws.owner import owner_of
from resumable_chat.web.owners import Owner

from .cloudformation import AUTHORIZER, AUTHS, GIVEN, POOL, ROOT, Refused, Stack, source

ROUTES = [("/api/chat", "post"), ("/api/chat", "delete"), ("/api/chat/replay", "get")]


def schemes(stack: Stack) -> list[dict[str, Any]]:
    """The scheme of each route, {} for an open one."""
    declared = stack.api["components"]["securitySchemes"]
    found = []
    for path, method in ROUTES:
        security = stack.api["paths"][path][method]["security"]
        assert len(security) <= 1
        found.append(declared[next(iter(security[0]))] if security else {})
    return found


def test_without_a_choice_it_does_not_deploy() -> None:
    """The default takes a user pool, and the error says what to set."""
    with pytest.raises(Refused, match="UserPoolArn"):
        Stack(**GIVEN)


@pytest.mark.parametrize(("auth", "missing"), [("Cognito", "UserPoolArn"), ("Lambda", "AuthorizerFunctionArn")])
def test_a_missing_arn_is_named(auth: str, missing: str) -> None:
    """Each choice says what belongs to it."""
    with pytest.raises(Refused, match=missing):
        Stack(**GIVEN, Auth=auth)


@pytest.mark.parametrize("auth", sorted(set(AUTHS) - {"None"}))
def test_every_route_is_closed(auth: str) -> None:
    """All three have the same authorisation, and the functions insist on a caller."""
    stack = Stack(**GIVEN, **AUTHS[auth])
    assert all(scheme["in"] == "header" and scheme["name"] == "Authorization" for scheme in schemes(stack))
    for function in ("SendFunction", "ReplayFunction", "StopFunction"):
        assert stack.environment(function)["CHAT_AUTH"] == "required"


def test_only_none_is_open() -> None:
    """It must be said, and then the functions know it too."""
    stack = Stack(**GIVEN, **AUTHS["None"])
    assert schemes(stack) == [{}, {}, {}] and stack.environment("SendFunction")["CHAT_AUTH"] == "none"


@pytest.mark.parametrize("scopes", ["", "chat/read,chat/write"])
def test_cognito(scopes: str) -> None:
    """The user pool's authoriser; with scopes it takes access tokens instead of ID tokens."""
    stack = Stack(**GIVEN, **AUTHS["Cognito"], CognitoScopes=scopes)
    for scheme in schemes(stack):
        assert scheme["x-amazon-apigateway-authtype"] == "cognito_user_pools"
        assert scheme["x-amazon-apigateway-authorizer"] == {"type": "cognito_user_pools", "providerARNs": [POOL]}
    assert stack.api["paths"]["/api/chat"]["post"]["security"] == [{"ChatAuth": scopes.split(",") if scopes else []}]


@pytest.mark.parametrize("kind", ["request", "token"])
def test_an_authoriser_of_your_own(kind: str) -> None:
    """It may be called by this API alone, and what it said for one route is not taken for another."""
    stack = Stack(**GIVEN, **AUTHS["Lambda"], AuthorizerType=kind)
    for scheme in schemes(stack):
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        assert scheme["x-amazon-apigateway-authtype"] == "custom" and authorizer["type"] == kind
        assert authorizer["authorizerUri"].endswith(f"/2015-03-31/functions/{AUTHORIZER}/invocations")
        cached_by = authorizer.get("identitySource", "")
        assert authorizer["authorizerResultTtlInSeconds"] == 0 or "context.path" in cached_by
    permission = stack.of_type("AWS::Lambda::Permission")["AuthorizerPermission"]
    assert permission["FunctionName"] == AUTHORIZER and permission["SourceArn"].endswith(":<ChatApi>/authorizers/*")


def test_iam() -> None:
    """Signed requests."""
    stack = Stack(**GIVEN, **AUTHS["IAM"])
    assert {scheme["x-amazon-apigateway-authtype"] for scheme in schemes(stack)} == {"awsSigv4"}
    assert "AuthorizerPermission" not in stack.resources


@pytest.mark.parametrize("auth", AUTHS)
def test_preflights_need_no_authorisation(auth: str) -> None:
    """Browsers send none with them; nothing else of the API is open, and every path has one."""
    paths = Stack(**GIVEN, **AUTHS[auth]).api["paths"]
    assert {(path, method) for path in paths for method in paths[path] if method != "options"} == set(ROUTES)
    for path in paths:
        assert paths[path]["options"]["security"] == []
        assert paths[path]["options"]["x-amazon-apigateway-integration"]["type"] == "mock"


def test_function_urls_are_off_and_never_open() -> None:
    """Whatever Auth is: they only take signed requests, and none may be called by everyone."""
    assert not Stack(**GIVEN, **AUTHS["None"]).of_type("AWS::Lambda::Url")
    stack = Stack(**GIVEN, **AUTHS["None"], FunctionUrls="true")
    urls = stack.of_type("AWS::Lambda::Url")
    assert set(urls) == {"SendUrl", "ReplayUrl", "StopUrl"} <= set(stack.outputs)
    assert {url["AuthType"] for url in urls.values()} == {"AWS_IAM"}
    assert all(found["Principal"] != "*" for found in stack.of_type("AWS::Lambda::Permission").values())


def test_the_choices_fit_what_the_functions_read() -> None:
    """What the sample events carry for each choice names an owner."""
    rest = json.loads((ROOT / "events" / "send-rest.json").read_text())
    identity = {**rest["requestContext"]["identity"], "userArn": "arn:aws:iam::123456789012:user/ada"}
    contexts: dict[str, Any] = {
        "Cognito": rest["requestContext"],
        "Lambda": {**rest["requestContext"], "authorizer": {"principalId": "ada", "integrationLatency": 12}},
        "IAM": {**rest["requestContext"], "authorizer": None, "identity": identity},
    }
    assert set(contexts) == set(AUTHS) - {"None"}
    assert all(isinstance(owner_of({"requestContext": context}), Owner) for context in contexts.values())


def test_the_choices_are_those_of_the_template() -> None:
    """A new one is tested here too."""
    assert source()["Parameters"]["Auth"]["AllowedValues"] == list(AUTHS)
