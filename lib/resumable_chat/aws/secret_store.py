"""Secrets from AWS Secrets Manager and the Parameter Store, through Powertools."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters.base import BaseProvider

_MAX_AGE: Final = 24 * 3600
"""Seconds that a value is kept, longer than an execution environment lives: the chat asks only when it starts."""

_HINTS: Final = {
    "SECRET": "Check the name, and that the role may do secretsmanager:GetSecretValue (and kms:Decrypt) on it.",
    "PARAMETER": "Check the name, and that the role may do ssm:GetParameter (and kms:Decrypt) on it.",
}


def fetch(kind: str, variable: str, place: str) -> str:
    """Return the text that ``place`` holds; ``kind`` is SECRET or PARAMETER, ``variable`` the one that names it.

    Raises ConfigurationError.
    """
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


def forget() -> None:
    """Drop every value, and the connections to where they come from."""
    _provider.cache_clear()


@cache
def _provider(kind: str) -> BaseProvider:
    from aws_lambda_powertools.utilities import parameters
    from botocore.config import Config

    # A function has 10 s to start.
    config = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    made = parameters.SecretsProvider if kind == "SECRET" else parameters.SSMProvider
    return made(boto_config=config)
