"""What operators rely on: versions and their guards, alarms, outputs, what callers may do, bounds of parameters."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .cloudformation import AUTHS, GIVEN, ROOT, Refused, Stack, overlays, source
from .test_functions import EVERYTHING, FUNCTIONS, OPEN

VERSIONED = {**OPEN, "SnapStart": "on", "Release": "4f2a9c1e07"}
URLS = {name: name.replace("Function", "Url") for name in FUNCTIONS}
OVERLAYS = overlays((ROOT / "docs" / "deploy.md").read_text())
MAX_ENVIRONMENT = 4096
"""Bytes of a function's variables: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def uris(stack: Stack) -> list[str]:
    """Return where the API's methods send requests to."""
    methods = [method for path in stack.api["paths"].values() for method in path.values()]
    found = [method["x-amazon-apigateway-integration"] for method in methods]
    return [integration["uri"] for integration in found if integration["type"] == "aws_proxy"]


def test_by_default_callers_reach_the_function_itself() -> None:
    """Then a changed parameter holds for the next request, and no snapshot or gradual deployment exists."""
    stack = Stack(**OPEN, FunctionUrls="true")
    assert not [uri for uri in uris(stack) if ":live" in uri]
    assert all("Qualifier" not in url for url in stack.of_type("AWS::Lambda::Url").values())
    assert all(stack.resources[name]["Properties"]["SnapStart"] == {"ApplyOn": "None"} for name in FUNCTIONS)
    assert not stack.of_type("AWS::CodeDeploy::DeploymentGroup")


def test_snapstart_serves_a_published_version() -> None:
    """The API and the URLs invoke the alias, which may be invoked, and every function has snapshots."""
    stack = Stack(**VERSIONED, FunctionUrls="true")
    assert all(".Arn>:live/" in uri for uri in uris(stack)) and len(uris(stack)) == 3
    permissions = stack.of_type("AWS::Lambda::Permission")
    for name in FUNCTIONS:
        alias = f"<{name}Aliaslive>"
        assert stack.resources[name]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
        assert alias in [permission["FunctionName"] for permission in permissions.values()]
        assert alias.strip("<>") in stack.of_type("AWS::Lambda::Url")[URLS[name]]["Qualifier"]


def test_only_a_new_release_publishes() -> None:
    """Lambda keeps a version as it was; each release has versions of its own."""
    names = {
        release: {*Stack(**{**VERSIONED, "Release": release}).of_type("AWS::Lambda::Version")} for release in ("1", "2")
    }
    assert len(names["1"]) == 3 and not names["1"] & names["2"]


@pytest.mark.parametrize("parameters", [{"SnapStart": "on"}, {"Deployment": "Canary10Percent5Minutes"}])
def test_published_versions_need_a_release(parameters: dict[str, str]) -> None:
    """Without one, a changed parameter would be deployed and not be used."""
    with pytest.raises(Refused, match="Set Release"):
        Stack(**OPEN, **parameters)


def test_alarms_guard_a_gradual_deployment() -> None:
    """CodeDeploy moves the alias in steps and goes back when the function's or the API's alarms ring."""
    stack = Stack(**OPEN, Deployment="Linear10PercentEvery1Minute", Release="1")
    groups = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    assert len(groups) == 3
    for name in FUNCTIONS:
        short = name.removesuffix("Function")
        group = groups[f"{name}DeploymentGroup"]
        assert "LambdaLinear10PercentEvery1Minute" in str(group["DeploymentConfigName"])
        rings = {alarm["Name"] for alarm in group["AlarmConfiguration"]["Alarms"]}
        assert {f"<{short}Failures>", "<ApiFailures>"} <= rings
        assert rings <= {f"<{found}>" for found in stack.of_type("AWS::CloudWatch::Alarm")}
        assert "CodeDeployLambdaAliasUpdate" in stack.resources[f"{name}Aliaslive"]["UpdatePolicy"]


def test_the_base_path_reaches_every_function() -> None:
    """It is the runtime's setting; a path that ends with a slash is refused by its pattern."""
    stack = Stack(**OPEN, BasePath="/chat")
    assert {stack.environment(name)["LAMBDA_ASGI_BASE_PATH"] for name in FUNCTIONS} == {"/chat"}
    pattern = source()["Parameters"]["BasePath"]["AllowedPattern"]
    assert [bool(re.search(pattern, path)) for path in ("", "/a/b", "/a/", "a", "/")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_callers_that_sign_get_a_policy() -> None:
    """It allows the three routes, and with function URLs both actions that those ask for; nothing else."""
    assert "CallersPolicyArn" not in Stack(**OPEN).outputs
    iam = Stack(**GIVEN, **AUTHS["IAM"])
    [routes] = iam.of_type("AWS::IAM::ManagedPolicy")["CallersPolicy"]["PolicyDocument"]["Statement"]
    assert routes["Action"] == "execute-api:Invoke"
    api = "arn:aws:execute-api:eu-central-1:123456789012:<ChatApi>/v1"
    assert {*routes["Resource"]} == {f"{api}/POST/api/chat", f"{api}/DELETE/api/chat", f"{api}/GET/api/chat/replay"}
    _, url, invoke = (
        Stack(**OPEN, FunctionUrls="true").of_type("AWS::IAM::ManagedPolicy")["CallersPolicy"]["PolicyDocument"]
    )["Statement"]
    assert (url["Action"], invoke["Action"]) == ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
    assert invoke["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    assert url["Resource"] == invoke["Resource"] and not [arn for arn in url["Resource"] if "*" in arn]


def test_the_logging_role_outlives_the_stack() -> None:
    """Every API of the region logs through it."""
    stack = Stack(**EVERYTHING)
    for name in ("ApiLoggingRole", "ApiAccount"):
        resource = stack.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_pages_can_read_when_to_come_back() -> None:
    """Function URLs answer pages of other origins by their own CORS rules, which expose Retry-After."""
    stack = Stack(**OPEN, FunctionUrls="true", CorsOrigin="https://app.example.com")
    assert all(url["Cors"]["ExposeHeaders"] == ["retry-after"] for url in stack.of_type("AWS::Lambda::Url").values())


def test_outputs_name_what_overlays_need() -> None:
    """The API's id, the stage's ARN and the functions' ARNs."""
    outputs = Stack(**OPEN).outputs
    assert outputs["ApiId"] == "<ChatApi>"
    assert outputs["StageArn"] == "arn:aws:apigateway:eu-central-1::/restapis/<ChatApi>/stages/v1"
    assert [outputs[name] for name in ("SendArn", "ReplayArn", "StopArn")] == [f"<{name}.Arn>" for name in FUNCTIONS]


def test_the_api_and_the_account_are_watched() -> None:
    """The API's own 5XX, and executions near the account's limit, which is a parameter."""
    alarms = Stack(**OPEN, AlarmConcurrency="9").of_type("AWS::CloudWatch::Alarm")
    api, account = alarms["ApiFailures"], alarms["AccountConcurrency"]
    assert (api["Namespace"], api["MetricName"]) == ("AWS/ApiGateway", "5XXError")
    title = Stack(**OPEN).api["info"]["title"]
    assert {found["Name"]: found["Value"] for found in api["Dimensions"]} == {"ApiName": title, "Stage": "v1"}
    assert (account["MetricName"], account["Threshold"]) == ("ClaimedAccountConcurrency", "9")


@pytest.mark.parametrize(
    ("metric", "logs", "module"),
    [("LostWriter", "<ReplayLogs>", "engine/reaping.py"), ("SourceFailure", "<SendLogs>", "engine/runner.py")],
)
def test_alarms_look_for_lines_that_the_library_writes(metric: str, logs: str, module: str) -> None:
    """The line's beginning stands in the module that logs it, and the function that runs it has that log group."""
    found = Stack(**OPEN).of_type("AWS::Logs::MetricFilter")[f"{metric}Metric"]
    assert found["LogGroupName"] == logs
    level, beginning = re.findall(r'"(\w+)".* = "(.+)\*"|$', found["FilterPattern"])[0]
    assert f'logger.{level.lower()}("{beginning}%s' in (ROOT / "lib" / "resumable_chat" / module).read_text()
    alarm = Stack(**OPEN).of_type("AWS::CloudWatch::Alarm")[f"{metric}s"]
    [transformation] = found["MetricTransformations"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )


def test_every_text_has_a_bound() -> None:
    """A parameter that is too long is refused at once, not when a function is updated."""
    for name, declared in source()["Parameters"].items():
        bounded = declared["Type"] == "Number" or {"AllowedValues", "MaxLength"} & {*declared}
        assert bounded or not re.search(r"[*+]", declared["AllowedPattern"]), name


@pytest.mark.parametrize("model", ["BedrockModel", "OpenaiModel", "Source"])
def test_the_longest_parameters_fit_the_functions(model: str) -> None:
    """All variables of a function share 4 KB; with every text at its bound they are still deployed."""
    parameters: dict[str, Any] = source()["Parameters"]
    longest = {name: "x" * declared["MaxLength"] for name, declared in parameters.items() if "MaxLength" in declared}
    other = {name: "" for name in ("BedrockModel", "OpenaiModel", "Source") if name != model}
    stack = Stack(**{**OPEN, **longest, **other, "S2TokenParameter": "", "OpenaiKeyParameter": ""})
    for name in FUNCTIONS:
        assert sum(len(key) + len(str(value)) for key, value in stack.environment(name).items()) <= MAX_ENVIRONMENT


@pytest.mark.parametrize("index", range(len(OVERLAYS)))
def test_overlays_can_be_deployed(index: int) -> None:
    """Each sample of docs/deploy.md stands where the template has its resources, and reaches what is deployed."""
    overlay = OVERLAYS[index]
    before, after = Stack(**OPEN), Stack(overlay, **OPEN)
    for name, resource in overlay.get("Resources", {}).items():
        assert name in before.resources or "Type" in resource, name
        assert after.resources[name]["Properties"] != before.resources.get(name, {}).get("Properties")
        assert after.resources[name].get("DependsOn", "ChatApi") in after.resources
    for name, value in overlay.get("Globals", {}).get("Function", {}).items():
        assert all(after.resources[function]["Properties"][name] == value for function in FUNCTIONS)


def test_every_overlay_is_tried() -> None:
    """Boundary, VPC, KMS, code signing, domain and web ACL; the domain closes the default endpoint."""
    assert len(OVERLAYS) == 6
    [domain] = [overlay for overlay in OVERLAYS if "ChatApi" in overlay.get("Resources", {})]
    made = Stack(domain, **OPEN, BasePath="/chat")
    assert made.api["servers"] == [{"x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True}}]
    [mapping] = made.of_type("AWS::ApiGateway::BasePathMapping").values()
    assert mapping["BasePath"] == "chat"


def test_the_runbook_quotes_lines_that_are_logged() -> None:
    """Every line that docs/operations.md tells to look for stands in the code that logs it."""
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Lines worth an alarm")[2].partition("\n## ")[0]
    code = "".join(path.read_text() for path in (ROOT / "lib").rglob("*.py")).replace('"\n', "").replace("\n", "")
    lines = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        for part in line.split("…"):
            assert part.strip(" :") in re.sub(r'"\s+"', "", code), line
