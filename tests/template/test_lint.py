"""The template as cfn-lint sees it, and the samples that go with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from resumable_chat.settings import S2Settings, Settings

from .cloudformation import AUTHS, GIVEN, REGION, ROOT, TEMPLATE, Stack, source

SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
EVENTS = sorted((ROOT / "events").glob("*-*.json"))


def test_cfn_lint_has_nothing_to_say() -> None:
    """No error and no warning."""
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--regions", REGION, "--template", TEMPLATE],
        env={**os.environ, "AWS_DEFAULT_REGION": REGION},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["rest", "http", "url"])
@pytest.mark.parametrize(("function", "method"), [("send", "POST"), ("replay", "GET"), ("stop", "DELETE")])
def test_there_is_an_event_for_every_function_and_front(function: str, method: str, kind: str) -> None:
    """Each asks for the route of its function."""
    event = json.loads((ROOT / "events" / f"{function}-{kind}.json").read_text())
    context = event["requestContext"]
    path = "/api/chat/replay" if function == "replay" else "/api/chat"
    if kind == "rest":
        assert (event["httpMethod"], event["path"], context["resourcePath"]) == (method, path, path)
    else:
        assert (context["http"]["method"], event["rawPath"], event["version"]) == (method, path, "2.0")


def test_no_event_is_left_out() -> None:
    """Three functions behind three fronts."""
    assert len(EVENTS) == 9


def test_the_local_variables_are_the_templates() -> None:
    """`sam local --env-vars` ignores what the template does not name, without a word."""
    local = json.loads((ROOT / "events" / "env.json").read_text())["Parameters"]
    template = source()
    named = {*template["Globals"]["Function"]["Environment"]["Variables"]}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            assert {*local} <= named | {*resource["Properties"]["Environment"]["Variables"]}


@pytest.mark.parametrize(("environment", "architecture"), [("default", "x86_64"), ("arm64", "arm64")])
@pytest.mark.parametrize("command", ["local_invoke", "local_start_api"])
def test_sam_local_needs_no_options(environment: str, architecture: str, command: str) -> None:
    """samconfig.toml names parameters of the template, the variables and the host for both architectures."""
    found = SAMCONFIG[environment][command]["parameters"]
    overrides = dict(pair.split("=") for pair in found["parameter_overrides"].split())
    assert Stack(**overrides).parameters["Architecture"] == architecture
    assert found["env_vars"] == "events/env.json" and found["add_host"] == ["host.docker.internal:host-gateway"]
    assert f"sam {command.replace('_', ' ', 1).replace('_', '-')}" in (ROOT / "docs" / "local.md").read_text()


def test_the_local_variables_make_a_chat_on_the_hosts_s2() -> None:
    """Over what the template sets for the parameters of `sam local`."""
    overrides = SAMCONFIG["default"]["local_invoke"]["parameters"]["parameter_overrides"]
    stack = Stack(**dict(pair.split("=") for pair in overrides.split()))
    local = json.loads((ROOT / "events" / "env.json").read_text())["Parameters"]
    environ = {**stack.environment("SendFunction"), **local, "AWS_LAMBDA_FUNCTION_NAME": "send"}
    settings = Settings.from_environ(environ)
    endpoint = "http://host.docker.internal:8080"
    assert settings.log == S2Settings("any", "my-basin", (endpoint, endpoint)) and settings.auth == "none"


def test_the_sample_configuration_can_be_deployed() -> None:
    """Parameters that samconfig.toml names exist."""
    deploy = SAMCONFIG["default"]["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM" and "parameter_overrides" not in deploy
    assert {*GIVEN, *AUTHS["Cognito"]} <= {*source()["Parameters"]}


def test_every_parameter_is_asked_for_in_its_group() -> None:
    """The console and `sam deploy --guided` show what belongs together."""
    template = source()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert all("Description" in declared for declared in template["Parameters"].values())


def test_the_documents_name_parameters_that_exist() -> None:
    """What `docs/` says to set can be set, and nothing can be set that they are silent about."""
    parameters = {*source()["Parameters"]}
    text = "".join((ROOT / "docs" / name).read_text() for name in ("deploy.md", "local.md"))
    assert {*re.findall(r"\b([A-Z][a-z0-9]+[A-Za-z0-9]*)=", text)} - {"OutputKey"} <= parameters
    described = (ROOT / "docs" / "deploy.md").read_text()
    table = described[described.index("## All parameters") : described.index("## What it costs")]
    assert {*re.findall(r"`([A-Z]\w+)`", table)} == parameters
