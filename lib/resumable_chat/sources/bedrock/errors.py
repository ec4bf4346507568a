"""What Bedrock reports, as one typed error."""

from __future__ import annotations

from typing import Any, Final

from ..errors import SourceError

_ADVICE: Final = {
    "AccessDeniedException": "Check that the account has access to the model, and that the role may do "
    "bedrock:InvokeModelWithResponseStream on it and, for an inference profile, on the models behind it.",
    "UnrecognizedClientException": "Check the AWS credentials.",
    "ExpiredTokenException": "The AWS credentials are too old; fetch new ones.",
    "ResourceNotFoundException": "Check the model id and the region.",
    "NoCredentialsError": "Set AWS credentials, or give the function a role.",
    "NoRegionError": "Set AWS_REGION.",
}

RETRIED: Final = frozenset(
    {
        "ThrottlingException",
        "TooManyRequestsException",
        "ServiceUnavailableException",
        "InternalServerException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
    }
)
"""Codes of failures that may be gone the next time."""


class BedrockError(SourceError):
    """A call of Bedrock failed. ``code`` is AWS's name of the error, such as ``ThrottlingException``."""

    def __init__(self, code: str, message: str) -> None:
        advice = _ADVICE.get(code)
        super().__init__(f"Bedrock reported {code}: {message}" + (f" {advice}" if advice else ""))
        self.code = code


def bedrock_error(error: Exception) -> BedrockError:
    """Return what botocore or urllib3 raised, before or in a stream, as a BedrockError."""
    response: Any = getattr(error, "response", None)
    reported = response.get("Error") if isinstance(response, dict) else None
    if isinstance(reported, dict) and reported.get("Code"):
        return BedrockError(_code(str(reported["Code"])), str(reported.get("Message") or "no details"))
    return BedrockError(type(error).__name__, str(error))


def _code(code: str) -> str:
    """Return an error's name as outside a stream: within, ``throttlingException`` begins in lower case."""
    return code[:1].upper() + code[1:]
