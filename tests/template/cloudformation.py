"""What CloudFormation makes of the template for given parameters: SAM's transform, then conditions and functions.

Only what the template uses; anything else is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from cfnlint.decode import cfn_yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT: Final = Path(__file__).parent.parent.parent
TEMPLATE: Final = ROOT / "template.yaml"
REGION: Final = "eu-central-1"
_PSEUDO: Final = {
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "chat",
    "AWS::URLSuffix": "amazonaws.com",
}
_NO_VALUE: Final = object()

POOL: Final = f"arn:aws:cognito-idp:{REGION}:123456789012:userpool/{REGION}_aBcDeFgHi"
AUTHORIZER: Final = f"arn:aws:lambda:{REGION}:123456789012:function:authorise"
SECRET: Final = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:chat/token-AbCdEf"
GIVEN: Final = {"S2Basin": "my-basin", "S2TokenSecretArn": SECRET, "BedrockModel": "amazon.nova-lite-v1:0"}
"""What every deployment has to say."""

AUTHS: Final[Mapping[str, Mapping[str, str]]] = {
    "Cognito": {"Auth": "Cognito", "UserPoolArn": POOL},
    "Lambda": {"Auth": "Lambda", "AuthorizerFunctionArn": AUTHORIZER},
    "IAM": {"Auth": "IAM"},
    "None": {"Auth": "None"},
}


def source() -> dict[str, Any]:
    """template.yaml as it is written, functions in their long form."""
    return _plain(cfn_yaml.load(str(TEMPLATE)))


def _plain(node: Any) -> Any:
    """Without the line numbers that cfn-lint's nodes carry."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return str(node) if isinstance(node, str) else node


def overlays(markdown: str) -> list[dict[str, Any]]:
    """Return the YAML samples of a document, functions in their long form."""
    samples = re.findall(r"^```yaml\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)
    return [_plain(cfn_yaml.loads(sample)) for sample in samples]


def merged(template: Any, overlay: Any) -> Any:
    """Return a template with an overlay's lines at their places; lists are continued."""
    if isinstance(template, dict) and isinstance(overlay, Mapping):
        both = {name: merged(template[name], overlay[name]) for name in template.keys() & overlay.keys()}
        return {**template, **overlay, **both}
    if isinstance(template, list) and isinstance(overlay, list):
        return template + overlay
    return overlay


class Refused(Exception):
    """A rule or a parameter's type refuses the deployment."""


class Stack:
    """The resources and outputs that a deployment with these parameters would have. Raises Refused."""

    def __init__(self, overlay: Mapping[str, Any] | None = None, **parameters: str) -> None:
        template = merged(source(), overlay or {})
        self.parameters: dict[str, Any] = {}
        for name, declared in template["Parameters"].items():
            value = parameters.pop(name, declared.get("Default"))
            if value is None:
                raise Refused(f"{name} has no value")
            if "AllowedValues" in declared and value not in declared["AllowedValues"]:
                raise Refused(f"{name} cannot be {value!r}")
            self.parameters[name] = value
        assert not parameters, f"unknown parameters {parameters}"
        self._conditions = template["Conditions"]
        self._mappings = template["Mappings"]
        for rule in template["Rules"].values():
            if self._value(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
                for assertion in rule["Assertions"]:
                    if not self._value(assertion["Assert"]):
                        raise Refused(assertion["AssertDescription"])
        expanded = _transform(template, self.parameters)
        self.resources: dict[str, Any] = {
            name: self._value({key: value for key, value in resource.items() if key != "Condition"})
            for name, resource in expanded["Resources"].items()
            if self._holds(resource.get("Condition"))
        }
        self.outputs: dict[str, Any] = {
            name: self._value(output["Value"])
            for name, output in expanded["Outputs"].items()
            if self._holds(output.get("Condition"))
        }

    def of_type(self, kind: str) -> dict[str, Any]:
        """The properties of all resources of a type."""
        return {name: found.get("Properties", {}) for name, found in self.resources.items() if found["Type"] == kind}

    @property
    def api(self) -> dict[str, Any]:
        """The REST API's OpenAPI document."""
        body: dict[str, Any] = self.resources["ChatApi"]["Properties"]["Body"]
        return body

    def environment(self, function: str) -> dict[str, str]:
        variables: dict[str, str] = self.resources[function]["Properties"]["Environment"]["Variables"]
        return variables

    def _holds(self, condition: str | None) -> bool:
        return condition is None or self._value(self._conditions[condition])

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._value, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(name, argument)] = node.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._function(name, argument)
        values = {key: self._value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not _NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref" if argument == "AWS::NoValue":
                return _NO_VALUE
            case "Ref":
                return {**_PSEUDO, **self.parameters}.get(argument, f"<{argument}>")
            case "Condition":
                return self._holds(argument)
            case "Fn::GetAtt":
                return f"<{argument if isinstance(argument, str) else '.'.join(argument)}>"
            case "Fn::If":
                condition, then, otherwise = argument
                return self._value(then if self._holds(condition) else otherwise)
            case "Fn::Equals":
                one, other = map(self._value, argument)
                return str(one) == str(other)
            case "Fn::And":
                return all(map(self._value, argument))
            case "Fn::Or":
                return any(map(self._value, argument))
            case "Fn::Not":
                return not self._value(argument[0])
            case "Fn::Join":
                separator, parts = argument
                return separator.join(map(str, self._value(parts)))
            case "Fn::Split":
                separator, text = argument
                return str(self._value(text)).split(separator)
            case "Fn::FindInMap":
                name, top, second = map(self._value, argument)
                return self._mappings[name][top][second]
            case "Fn::Select":
                index, values = argument[0], self._value(argument[1])
                known = int(index) < len(values)  # parts of a name that only a deployment gives are not
                return values[int(index)] if known else f"<{index} of {values[0].strip('<>')}>"
            case "Fn::Sub":
                text, given = (argument, {}) if isinstance(argument, str) else argument
                return self._substituted(text, self._value(given))
        raise AssertionError(f"{name} is not known here")

    def _substituted(self, text: str, given: Mapping[str, str]) -> str:
        before, *pieces = text.split("${")
        for piece in pieces:
            name, _, after = piece.partition("}")
            if name in given:
                value = given[name]
            else:
                value = self._function("Ref", name) if "." not in name else f"<{name}>"
            before += f"{value}{after}"
        return before


def _transform(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """AWS::Serverless-2016-10-31, with code that is already uploaded."""
    packaged = deepcopy(dict(template))
    for resource in packaged["Resources"].values():
        for where in ("CodeUri", "ContentUri"):
            if where in resource.get("Properties", {}):
                resource["Properties"][where] = "s3://bucket/key"
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        made: dict[str, Any] = Translator({}, Parser()).translate(packaged, dict(parameters))
    return _plain(made)  # type: ignore[no-any-return]
