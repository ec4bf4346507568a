"""Secrets come from where the environment says they are kept, and nothing but the way to them is ever shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from resumable_chat import ConfigurationError
from resumable_chat.aws.secret_store import _provider
from resumable_chat.secret_settings import read_secret
from resumable_chat.settings import S2Settings, Settings, source_from_environ
from resumable_chat.sources.openai import OpenAISource

REGION = "eu-central-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account, and no client of another one."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    _provider.cache_clear()
    with mock_aws():
        yield
    _provider.cache_clear()


def secret(value: str) -> str:
    arn: str = boto3.client("secretsmanager").create_secret(Name="chat/token", SecretString=value)["ARN"]
    return arn


def parameter(value: str) -> str:
    boto3.client("ssm").put_parameter(Name="/chat/token", Value=value, Type="SecureString")
    return "/chat/token"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("kept", ["t0ken", " t0ken\n", json.dumps({"S2_ACCESS_TOKEN": "t0ken", "other": "x"})])
@pytest.mark.parametrize(
    ("keep", "variable"), [(secret, "S2_ACCESS_TOKEN_SECRET"), (parameter, "S2_ACCESS_TOKEN_PARAMETER")]
)
def test_the_token_of_the_log_is_fetched(keep: Any, variable: str, kept: str) -> None:
    """From Secrets Manager or the Parameter Store, as plain text or under its name in a JSON object."""
    settings = Settings.from_environ({"S2_BASIN": "my-basin", variable: keep(kept), "AWS_LAMBDA_FUNCTION_NAME": "f"})
    assert isinstance(settings.log, S2Settings)
    assert settings.log.access_token == "t0ken" and "t0ken" not in repr(settings)


@pytest.mark.usefixtures("aws")
def test_one_secret_may_hold_all() -> None:
    """The log's token and key and the model's key, each under its variable's name."""
    arn = secret(json.dumps({"S2_ACCESS_TOKEN": "t", "S2_ENCRYPTION_KEY": "azE=", "OPENAI_API_KEY": "sk-1"}))
    environ = {f"{name}_SECRET": arn for name in ("S2_ACCESS_TOKEN", "S2_ENCRYPTION_KEY", "OPENAI_API_KEY")}
    assert Settings.from_environ({**environ, "S2_BASIN": "my-basin"}).log == S2Settings("t", "my-basin", None, "azE=")
    source = source_from_environ({**environ, "OPENAI_MODEL": "m"})
    assert isinstance(source, OpenAISource) and source._headers["Authorization"] == "Bearer sk-1"


@pytest.mark.usefixtures("aws")
def test_a_value_is_fetched_once() -> None:
    """An execution environment asks AWS when it starts, and not for every request."""
    environ = {"S2_ACCESS_TOKEN_SECRET": secret("first")}
    assert read_secret("S2_ACCESS_TOKEN", environ) == "first"
    boto3.client("secretsmanager").put_secret_value(SecretId="chat/token", SecretString="second")
    assert read_secret("S2_ACCESS_TOKEN", environ) == "first"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("variable", "hint"),
    [("S2_ACCESS_TOKEN_SECRET", "secretsmanager:GetSecretValue"), ("S2_ACCESS_TOKEN_PARAMETER", "ssm:GetParameter")],
)
def test_what_cannot_be_read_says_what_to_do(variable: str, hint: str) -> None:
    """The variable, the name it has, and the permission that it takes."""
    with pytest.raises(ConfigurationError, match=hint) as refused:
        read_secret("S2_ACCESS_TOKEN", {variable: "/no/such"})
    assert variable in str(refused.value) and "/no/such" in str(refused.value)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("kept", ['{"other": "hush"}', '{"S2_ACCESS_TOKEN": ""}', '{"S2_ACCESS_TOKEN": 7}', "   "])
def test_a_secret_without_the_value_is_refused(kept: str) -> None:
    """The error names the key that is missing, and shows nothing of what is there."""
    with pytest.raises(ConfigurationError, match="S2_ACCESS_TOKEN") as refused:
        read_secret("S2_ACCESS_TOKEN", {"S2_ACCESS_TOKEN_SECRET": secret(kept)})
    assert "hush" not in str(refused.value)


def test_two_places_for_one_secret_are_refused() -> None:
    """Which one holds would be a guess."""
    with pytest.raises(ConfigurationError, match="S2_ACCESS_TOKEN and S2_ACCESS_TOKEN_SECRET"):
        read_secret("S2_ACCESS_TOKEN", {"S2_ACCESS_TOKEN": "t", "S2_ACCESS_TOKEN_SECRET": "arn"})


def test_without_a_region_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside AWS, and without credentials for it."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    _provider.cache_clear()
    with pytest.raises(ConfigurationError, match=r"S2_ACCESS_TOKEN_SECRET.*AWS_REGION"):
        read_secret("S2_ACCESS_TOKEN", {"S2_ACCESS_TOKEN_SECRET": "chat/token"})


@pytest.mark.parametrize(
    "environ", [{}, {"CHAT_LOG": "sqlite:///x.db"}, {"S2_ACCESS_TOKEN": "t", "S2_BASIN": "my-basin"}]
)
def test_who_keeps_no_secret_pays_nothing(environ: dict[str, str]) -> None:
    """Neither boto3 nor Powertools' parameters are imported for settings without a secret."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\nfrom resumable_chat.settings import *\nSettings.from_environ({environ!r})\n"
            "print([name for name in sys.modules if 'boto' in name or 'parameters' in name])",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.strip() == "[]", done.stderr
