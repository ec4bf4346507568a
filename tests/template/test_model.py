"""Which model answers, and what the stack may call for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from resumable_chat.settings import source_from_environ
from resumable_chat.sources.bedrock import BedrockSource
from resumable_chat.sources.demo import demo_source

from .cloudformation import AUTHS, GIVEN, REGION, Refused, Stack, source

WITHOUT_MODEL = {**{name: value for name, value in GIVEN.items() if name != "BedrockModel"}, **AUTHS["None"]}
MODELS = {"BedrockModel": "amazon.nova-lite-v1:0", "OpenaiModel": "gpt-5", "Source": "my_model:answer", "Demo": "true"}
ACCOUNT = f"arn:aws:bedrock:{REGION}:123456789012"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
APPLICATION_PROFILE = f"{ACCOUNT}:application-inference-profile/a1b2c3d4e5f6"


def bedrock(**parameters: str) -> list[dict[str, Any]]:
    """Return what send may do in Bedrock."""
    stack = Stack(**WITHOUT_MODEL, **parameters)
    attached = {role: stack.resources[role]["Properties"]["ManagedPolicyArns"] for role in ("ReplayRole", "StopRole")}
    assert not any("<ModelAccess>" in policies for policies in attached.values())
    if "<ModelAccess>" not in stack.resources["SendRole"]["Properties"]["ManagedPolicyArns"]:
        assert "ModelAccess" not in stack.resources
        return []
    statements: list[dict[str, Any]] = stack.resources["ModelAccess"]["Properties"]["PolicyDocument"]["Statement"]
    return statements


def allow(resource: str, *, through: str | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModelWithResponseStream",
        "Resource": resource,
    }
    if through is not None:
        statement["Condition"] = {"StringEquals": {"bedrock:InferenceProfileArn": through}}
    return statement


@pytest.mark.parametrize("model", ["amazon.nova-lite-v1:0", SONNET, "deepseek.v3.2", "europa.eu.us-1"])
def test_a_model_may_be_called_in_the_region_of_the_stack(model: str) -> None:
    """There alone, and no other model; dots in its name do not make it a profile."""
    assert bedrock(BedrockModel=model) == [allow(f"arn:aws:bedrock:{REGION}::foundation-model/{model}")]


@pytest.mark.parametrize("geography", ["us", "eu", "apac", "au", "ca", "jp", "us-gov", "global"])
@pytest.mark.parametrize("model", [SONNET, "zai.glm-4.7", "writer.us.eu.palmyra-x5-v1:0"])
def test_a_profile_may_be_called_and_its_model_through_it(geography: str, model: str) -> None:
    """In every region that the profile chooses, but not past the profile."""
    profile = f"{ACCOUNT}:inference-profile/{geography}.{model}"
    assert bedrock(BedrockModel=f"{geography}.{model}") == [
        allow(profile),
        allow(f"arn:aws:bedrock:*::foundation-model/{model}", through=profile),
    ]


@pytest.mark.parametrize("arn", [APPLICATION_PROFILE, f"{ACCOUNT}:inference-profile/eu.{SONNET}"])
def test_the_arn_of_a_profile_opens_the_models_behind_it(arn: str) -> None:
    """It does not tell which they are, so the condition alone keeps all others out."""
    assert bedrock(BedrockModel=arn) == [allow(arn), allow("arn:aws:bedrock:*::foundation-model/*", through=arn)]


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:bedrock:{REGION}::foundation-model/{SONNET}",
        f"{ACCOUNT}:provisioned-model/abc",
        f"{ACCOUNT}:imported-model/x",
    ],
)
def test_the_arn_of_a_model_opens_that_model(arn: str) -> None:
    """And nothing besides."""
    assert bedrock(BedrockModel=arn) == [allow(arn)]


def test_a_guardrail_may_be_applied() -> None:
    """This one, in all its versions; the library gets the version too."""
    given = {"BedrockModel": SONNET, "BedrockGuardrail": "abc123:7"}
    [_, statement] = bedrock(**given)
    assert statement == {
        "Effect": "Allow",
        "Action": "bedrock:ApplyGuardrail",
        "Resource": f"{ACCOUNT}:guardrail/abc123",
    }
    assert Stack(**WITHOUT_MODEL, **given).environment("SendFunction")["BEDROCK_GUARDRAIL"] == "abc123:7"


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("", True),
        (f"global.{SONNET}", True),
        (APPLICATION_PROFILE, True),
        (f"arn:aws:bedrock:{REGION}::foundation-model/{SONNET}", True),
        (f"bedrock:{SONNET}", False),
        ("claude", False),
        ("*", False),
        ("anthropic.*", False),
        ("arn:aws:bedrock:*:123456789012:inference-profile/*", False),
        ("arn:aws:s3:::bucket", False),
    ],
)
def test_only_names_of_models_are_taken(model: str, taken: bool) -> None:
    """No wildcard can get into the policy."""
    assert bool(re.search(source()["Parameters"]["BedrockModel"]["AllowedPattern"], model)) is taken


@pytest.mark.parametrize("name", ["OpenaiModel", "Source", "Demo"])
def test_without_a_model_of_bedrock_none_may_be_called(name: str) -> None:
    """Neither by send nor by the others."""
    assert bedrock(**{name: MODELS[name]}) == []


def test_one_model_must_be_named() -> None:
    """The deployment is refused, with what to set instead."""
    with pytest.raises(Refused, match=r"BedrockModel, OpenaiModel or Source\. Or set Demo to true"):
        Stack(**WITHOUT_MODEL)


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in MODELS for b in MODELS if a < b])
def test_two_models_are_refused(one: str, other: str) -> None:
    """A chat has one."""
    with pytest.raises(Refused, match="only one"):
        Stack(**WITHOUT_MODEL, **{one: MODELS[one], other: MODELS[other]})


def test_all_four_are_refused() -> None:
    """As two are."""
    with pytest.raises(Refused, match="only one"):
        Stack(**WITHOUT_MODEL, **MODELS)


@pytest.mark.parametrize("model", [SONNET, f"eu.{SONNET}", APPLICATION_PROFILE])
def test_the_functions_call_the_model_that_was_named(model: str) -> None:
    """The library reads the setting as a model of Bedrock, colons and all, and takes the system prompt along."""
    stack = Stack(**WITHOUT_MODEL, BedrockModel=model, SystemPrompt="Be brief.")
    environ = stack.environment("SendFunction")
    assert (environ["CHAT_MODEL"], environ["CHAT_SYSTEM"]) == (f"bedrock:{model}", "Be brief.")
    other = Stack(**WITHOUT_MODEL, OpenaiModel="gpt-5", SystemPrompt="Be brief.").environment("SendFunction")
    assert (other["CHAT_SYSTEM"], other["OPENAI_SYSTEM"], environ["OPENAI_SYSTEM"]) == ("", "Be brief.", "")
    answering = source_from_environ({**environ, "AWS_LAMBDA_FUNCTION_NAME": "send", "AWS_REGION": REGION})
    assert isinstance(answering, BedrockSource)


def test_the_demo_answers_where_it_was_asked_for() -> None:
    """And nowhere else: an own source has no CHAT_MODEL beside it."""
    environ = Stack(**WITHOUT_MODEL, Demo="true").environment("SendFunction")
    assert source_from_environ({**environ, "AWS_LAMBDA_FUNCTION_NAME": "send"}) is demo_source
    for name in ("OpenaiModel", "Source"):
        assert Stack(**WITHOUT_MODEL, **{name: MODELS[name]}).environment("SendFunction")["CHAT_MODEL"] == ""
