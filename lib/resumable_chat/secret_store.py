"""Secrets from AWS: a variable's value, when the environment only says where it is kept.

``NAME_SECRET`` names a secret in Secrets Manager (an ARN or a name), ``NAME_PARAMETER`` a SecureString in the Parameter
Store. A secret that is a JSON object, as the AWS console makes them, is asked for the key ``NAME``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from .errors import ConfigurationError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters.base import BaseProvider

_MAX_AGE: Final = 24 * 3600
"""Seconds that a value is kept, longer than an execution environment lives: the chat asks only when it starts."""

_HINTS: Final = {
    "SECRET": "Check the name, and that the role may do secretsmanager:GetSecretValue (and kms:Decrypt) on it.",
    "PARAMETER": "Check the name, and that the role may do ssm:GetParameter (and kms:Decrypt) on it.",
}


def is_set(name: str, environ: Mapping[str, str]) -> bool:
    """Whether the variable, or where its value is kept, is set."""
    return any(environ.get(variable) for variable in variables(name))


def variables(name: str) -> tuple[str, str, str]:
    """The variable and the two that say where its value is kept."""
    return name, f"{name}_SECRET", f"{name}_PARAMETER"


def read_secret(name: str, environ: Mapping[str, str]) -> str:
    """The variable's value, ``""`` if nothing is set. Raises ConfigurationError, which never shows a value."""
    given = [variable for variable in variables(name) if environ.get(variable)]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} are all set; keep one.")
    if not given:
        return ""
    [variable] = given
    if variable == name:
        return environ[name]
    kind, place = variable.removeprefix(f"{name}_"), environ[variable]
    return _of_json(_fetch(kind, variable, place), name, variable)


def _fetch(kind: str, variable: str, place: str) -> str:
    try:
        from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

        provider = _provider(kind)
    except ImportError as error:
        raise ConfigurationError(
            f"{variable} needs boto3, which is not installed: {error}. Install resumable-chat[aws]."
        ) from error
    except Exception as error:  # boto3 has no common error for a client that cannot be made
        raise ConfigurationError(f"{variable} cannot be read: {error} Set AWS_REGION and credentials.") from error
    options: dict[str, Any] = {"decrypt": True} if kind == "PARAMETER" else {}
    try:
        value = provider.get(place, max_age=_MAX_AGE, **options)
    except GetParameterError as error:
        raise ConfigurationError(f"{variable} is {place!r}, which cannot be read: {error}. {_HINTS[kind]}") from error
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{variable} is {place!r}, which holds no text; store the value as a string.")
    return value.strip()


@cache
def _provider(kind: str) -> BaseProvider:
    from aws_lambda_powertools.utilities import parameters
    from botocore.config import Config

    # A function has 10 s to start.
    config = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    made = parameters.SecretsProvider if kind == "SECRET" else parameters.SSMProvider
    return made(boto_config=config)


def _of_json(value: str, name: str, variable: str) -> str:
    if not value.startswith("{"):
        return value
    try:
        kept = json.loads(value)[name]
    except ValueError:
        return value
    except KeyError:
        kept = None
    if not isinstance(kept, str) or not kept:
        raise ConfigurationError(f"{variable} names a JSON object without the key {name}; add it, or store plain text.")
    return kept
