"""The functions as they are deployed: what they may do, how long and how large, and what is watched."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lambda_asgi.logs import JsonFormatter
from resumable_chat.settings import MAX_PREFIX_BYTES, MIN_LEASE_MS, Settings, source_from_environ
from resumable_chat.web import chat
from resumable_chat.web.responses import KEEP_ALIVE_SECONDS

from .cloudformation import AUTHS, GIVEN, ROOT, SECRET, Refused, Stack, source

FUNCTIONS = ("SendFunction", "ReplayFunction", "StopFunction")
OPEN = {**GIVEN, **AUTHS["None"]}
OTHER_SECRET = SECRET.replace("token", "key")
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"
EVERYTHING = {
    **GIVEN,
    **AUTHS["Cognito"],
    "S2EncryptionKeySecretArn": OTHER_SECRET,
    "OpenaiKeySecretArn": OTHER_SECRET,
    "SecretsKeyArn": KEY,
    "FunctionUrls": "true",
    "AccessLogs": "with-role",
    "Tracing": "true",
    "SendConcurrency": "50",
    "ReplayConcurrency": "500",
    "StopConcurrency": "5",
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
}
API_IDLE_SECONDS = 300
"""After which a regional API ends a silent stream."""


def function(stack: Stack, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.resources[name]["Properties"]
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_logs_are_json_and_do_not_stay_forever(name: str) -> None:
    """Each function has a log group of its own, which the stack names as an output."""
    stack = Stack(**OPEN)
    logging = function(stack, name)["LoggingConfig"]
    group = stack.resources[logging["LogGroup"].strip("<>")]
    assert logging["LogFormat"] == "JSON" and group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == 30
    assert logging["LogGroup"] in stack.outputs.values()


def test_every_log_group_has_a_retention() -> None:
    """The API's too."""
    groups = Stack(**EVERYTHING).of_type("AWS::Logs::LogGroup")
    assert len(groups) == 4 and all(group["RetentionInDays"] for group in groups.values())


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    """All that a role may do, but for AWS's own policies."""
    properties = stack.resources[role]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    ours = [policy.strip("<>") for policy in properties["ManagedPolicyArns"] if policy.startswith("<")]
    documents += [stack.resources[policy]["Properties"]["PolicyDocument"] for policy in ours]
    return [statement for document in documents for statement in document["Statement"]]


@pytest.mark.parametrize("parameters", [OPEN, EVERYTHING], ids=["least", "most"])
def test_no_function_may_do_more_than_it_needs(parameters: dict[str, str]) -> None:
    """Its own log group, and the secrets of its settings; never everything of a kind."""
    stack = Stack(**parameters)
    own = {"Send": "<SendLogs.Arn>", "Replay": "<ReplayLogs.Arn>", "Stop": "<StopLogs.Arn>"}
    for name, logs in own.items():
        assert function(stack, f"{name}Function")["Role"] == f"<{name}Role.Arn>"
        allowed = statements(stack, f"{name}Role")
        secrets = {SECRET, OTHER_SECRET} if parameters is EVERYTHING else {SECRET}
        keys = {KEY} if parameters is EVERYTHING else set()
        for statement in allowed:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            for action in actions:
                expected = {"logs": {logs}, "secretsmanager": secrets, "kms": keys}[action.split(":")[0]]
                assert statement["Resource"] in expected and "*" not in action
        assert len(allowed) == (2 if parameters is OPEN else 5 if name == "Send" else 4)


def test_nothing_names_every_resource() -> None:
    """No ``Resource: '*'`` in the whole template."""
    text = json.dumps(Stack(**EVERYTHING).resources)
    assert '"Resource": "*"' not in text and '"Resource": ["*"]' not in text


def test_only_send_has_the_models_key() -> None:
    """Neither its variable nor the permission is given to the others."""
    stack = Stack(**OPEN, OpenaiKeyParameter="/chat/openai")
    reads = f"arn:aws:ssm:eu-central-1:123456789012:parameter{stack.parameters['OpenaiKeyParameter']}"
    for name in ("Send", "Replay", "Stop"):
        resources = [statement["Resource"] for statement in statements(stack, f"{name}Role")]
        assert (
            (reads in resources)
            is (name == "Send")
            is ("OPENAI_API_KEY_PARAMETER" in stack.environment(f"{name}Function"))
        )


@pytest.mark.parametrize(
    "parameters",
    [
        {"S2Basin": "my-basin"},
        {**GIVEN, "S2TokenParameter": "/chat/token"},
        {**GIVEN, "OpenaiKeySecretArn": SECRET, "OpenaiKeyParameter": "/chat/key"},
    ],
)
def test_a_secret_is_in_one_place(parameters: dict[str, str]) -> None:
    """None or two are refused before anything is deployed."""
    with pytest.raises(Refused, match=r"Token|Openai"):
        Stack(**parameters, **AUTHS["None"])


def test_a_token_in_the_parameter_store() -> None:
    """The parameter alone may be read."""
    stack = Stack(S2Basin="my-basin", S2TokenParameter="/chat/token", **AUTHS["None"])
    allowed = [statement for statement in statements(stack, "StopRole") if "ssm" in str(statement["Action"])]
    assert [statement["Action"] for statement in allowed] == ["ssm:GetParameter"]
    assert allowed[0]["Resource"] == "arn:aws:ssm:eu-central-1:123456789012:parameter/chat/token"


def test_times_fit_the_librarys() -> None:
    """A response's lease ends before the function, keep-alives come before the API gives up, and stop is short."""
    stack = Stack(**OPEN)
    timeouts = {name: function(stack, name)["Timeout"] for name in FUNCTIONS}
    assert timeouts == {"SendFunction": 900, "ReplayFunction": 900, "StopFunction": 10}
    assert timeouts["ReplayFunction"] > chat.LAMBDA_RESPONSE_SECONDS + chat._DEADLINE_MARGIN
    assert KEEP_ALIVE_SECONDS < API_IDLE_SECONDS
    assert timeouts["SendFunction"] > max(chat.LEASE_MS.values()) / 1000


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_size_layer_and_runtime(architecture: str) -> None:
    """The functions and the one layer of the stack are for the same architecture and Python."""
    stack = Stack(**OPEN, Architecture=architecture, Memory="1024")
    [(layer, version)] = stack.of_type("AWS::Lambda::LayerVersion").items()
    assert version["CompatibleArchitectures"] == [architecture]
    for name in FUNCTIONS:
        found = function(stack, name)
        assert found["Layers"] == [f"<{layer}>"] and found["Architectures"] == [architecture]
        assert str(found["MemorySize"]) == "1024" and [found["Runtime"]] == version["CompatibleRuntimes"]
        assert found["Handler"] == "app.handler"
        assert stack.environment(name)["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/lambda-asgi"


def test_concurrency_can_be_reserved() -> None:
    """By a parameter for each function; a new account has too little to reserve any by default."""
    assert all("ReservedConcurrentExecutions" not in function(Stack(**OPEN), name) for name in FUNCTIONS)
    stack = Stack(**EVERYTHING)
    assert [function(stack, name)["ReservedConcurrentExecutions"] for name in FUNCTIONS] == ["50", "500", "5"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_failures_and_throttles_are_an_alarm(name: str) -> None:
    """They go to the topic, if there is one. What replay breaks off on purpose is none."""
    short = name.removesuffix("Function")
    for parameters, topics in ((OPEN, []), (EVERYTHING, [EVERYTHING["AlarmTopicArn"]])):
        stack = Stack(**parameters)
        alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
        of_lambda = {
            a["MetricName"] for a in alarms if {"Name": "FunctionName", "Value": f"<{name}>"} in a.get("Dimensions", [])
        }
        assert of_lambda == ({"Throttles"} if short == "Replay" else {"Throttles", "Errors"})
        [transformation] = stack.of_type("AWS::Logs::MetricFilter")[f"{short}FailureMetric"]["MetricTransformations"]
        [ours] = [a for a in alarms if a["MetricName"] == transformation["MetricName"]]
        assert ours["Namespace"] == transformation["MetricNamespace"] == "Chat/chat"
        assert all(alarm["AlarmActions"] == topics for alarm in alarms)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_alarm_counts_what_the_runtime_logs_as_an_error(name: str) -> None:
    """The level has the place and the name that the filter looks for, in the function's own log group."""
    found = Stack(**OPEN).of_type("AWS::Logs::MetricFilter")[f"{name.removesuffix('Function')}FailureMetric"]
    assert found["LogGroupName"] == function(Stack(**OPEN), name)["LoggingConfig"]["LogGroup"]
    record = logging.LogRecord("chat", logging.ERROR, __file__, 1, "it failed", None, None)
    assert f'$.level = "{json.loads(JsonFormatter().format(record))["level"]}"' in found["FilterPattern"]


class _Asked(Mapping[str, str]):
    """An environment that notes what is looked for."""

    def __init__(self, **values: str) -> None:
        self.values_ = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def read_by_the_library() -> set[str]:
    """Every variable that the settings look for."""
    asked = set()
    for values in (
        {},
        {"S2_ACCESS_TOKEN": "t", "S2_BASIN": "my-basin", "S2_ENCRYPTION_KEY": "azE="},
        {"OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"},
    ):
        environ = _Asked(**values)
        Settings.from_environ(environ)
        source_from_environ(environ)
        asked |= environ.asked
    return asked


def test_the_template_sets_what_the_settings_read() -> None:
    """No variable of the template is unknown to the library, and none of the library's cannot be set."""
    stack = Stack(**EVERYTHING)
    given = {variable for name in FUNCTIONS for variable in stack.environment(name)}
    ours = {name for name in given if not name.startswith(("AWS_", "LAMBDA_ASGI_"))}
    # A secret's value never stands in a function's environment; the token's place is for `sam local` alone.
    never = {"S2_ENCRYPTION_KEY", "OPENAI_API_KEY", "AWS_LAMBDA_FUNCTION_NAME", "S2_ENCRYPTION_KEY_PARAMETER"}
    assert ours == read_by_the_library() - never
    assert stack.environment("SendFunction")["S2_ACCESS_TOKEN"] == ""


def test_every_setting_is_documented() -> None:
    """The table, or the row of the variable that it stands in for."""
    table = (ROOT / "docs" / "configuration.md").read_text()
    asked = {re.sub(r"_(SECRET|PARAMETER)$", "", name) for name in read_by_the_library()}
    assert not [name for name in asked - {"AWS_LAMBDA_FUNCTION_NAME"} if f"`{name}`" not in table]


def test_the_template_sets_what_the_runtime_reads() -> None:
    """The same for the runtime's own variables."""
    text = "".join(path.read_text() for path in (ROOT / "lib" / "lambda_asgi" / "src" / "lambda_asgi").glob("*.py"))
    for name in FUNCTIONS:
        for variable in Stack(**OPEN).environment(name):
            assert not variable.startswith("LAMBDA_ASGI_") or f'"{variable}"' in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_settings_of_every_function_can_be_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the template sets, with the secrets in it, is a complete configuration."""
    monkeypatch.setattr("resumable_chat.aws.secret_store.fetch", lambda kind, variable, place: "dG9rZW4=")
    environ = {**Stack(**EVERYTHING).environment(name), "AWS_LAMBDA_FUNCTION_NAME": name}
    settings = Settings.from_environ(environ)
    assert (settings.auth, settings.stream_prefix, settings.mode) == ("required", "chat/", "session")


def test_streams_of_two_stacks_never_mix() -> None:
    """The prefix is the stack's name unless one is given, and stays within its bound."""
    assert Stack(**OPEN, StreamPrefix="prod-").environment("StopFunction")["CHAT_STREAM_PREFIX"] == "prod-"
    declared = source()["Parameters"]["StreamPrefix"]
    assert declared["MaxLength"] == MAX_PREFIX_BYTES and declared["Default"] == ""


def test_parameters_that_are_patterns_take_what_they_describe() -> None:
    """Names and ARNs as AWS writes them, a lease in ms, nothing for what is optional."""
    parameters = source()["Parameters"]
    for name, value in {**EVERYTHING, "S2TokenParameter": "/chat/token", "LeaseMs": str(MIN_LEASE_MS)}.items():
        if pattern := parameters[name].get("AllowedPattern"):
            assert re.search(pattern, value), name
            assert re.search(pattern, "") or name == "S2Basin"
