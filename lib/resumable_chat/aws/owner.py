"""Whose chat it is: from what API Gateway or a function URL established about the caller to a stream's name.

Only identities that the platform verified count, never anything that the request says about itself. A caller who cannot
be told apart from others has no owner. Shapes of the events:

* REST API: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
* HTTP API: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
* function URL: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

Kind = Literal["jwt", "lambda", "iam", "cognito-identity"]

_COGNITO_SESSION: Final = "/CognitoIdentityCredentials"
"""The session name of everybody in a Cognito identity pool: such an ARN tells nobody apart."""

_PLACEHOLDERS: Final = frozenset({"user", "me"})
"""The constant ``principalId`` of AWS's sample authorisers, which many were made from."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An authenticated caller. ``subject`` is unique within ``issuer`` (the token's ``iss``, else empty)."""

    kind: Kind
    subject: str
    issuer: str = ""

    @property
    def key(self) -> str:
        """52 letters and digits that stand for this owner alone (SHA-256), and tell nothing about who it is."""
        told = json.dumps([self.kind, self.issuer, self.subject])
        return b32encode(sha256(told.encode()).digest()).decode().rstrip("=").lower()


def owner_of(event: Any) -> Owner | None:
    """The caller that an event names: a REST API's (format 1.0), an HTTP API's or a function URL's (format 2.0).

    None if nobody was authenticated, or nobody who could be told apart from others.
    """
    context = _mapping(_mapping(event).get("requestContext"))
    authorizer = context.get("authorizer")
    if not isinstance(authorizer, Mapping):
        identity = _mapping(context.get("identity"))
        return _principal(identity.get("cognitoIdentityId"), identity.get("userArn"))
    if "claims" in authorizer:
        return _jwt(_mapping(authorizer["claims"]))
    if "jwt" in authorizer:
        return _jwt(_mapping(_mapping(authorizer["jwt"]).get("claims")))
    if "iam" in authorizer:
        iam = _mapping(authorizer["iam"])
        return _principal(_mapping(iam.get("cognitoIdentity")).get("identityId"), iam.get("userArn"))
    return _lambda(_mapping(authorizer.get("lambda", authorizer)))


def owned_stream(owner: Owner | None, chat_id: str) -> str:
    """The stream's name, without the prefix. No two pairs of owner and chat share one, as no chat id has a slash."""
    return chat_id if owner is None else f"{owner.key}/{chat_id}"


def _jwt(claims: Mapping[str, Any]) -> Owner | None:
    subject = _text(claims.get("sub"))
    return Owner("jwt", subject, _text(claims.get("iss"))) if subject else None


def _lambda(context: Mapping[str, Any]) -> Owner | None:
    subject = _text(context.get("sub"))
    if not subject:
        subject = _text(context.get("principalId"))
        if subject in _PLACEHOLDERS:
            return None
    return Owner("lambda", subject) if subject else None


def _principal(cognito_identity: Any, arn: Any) -> Owner | None:
    if _text(cognito_identity):
        return Owner("cognito-identity", cognito_identity)
    if _text(arn) and not arn.endswith(_COGNITO_SESSION):
        return Owner("iam", arn)
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if type(value) is int:  # an authoriser's own context may have numbers
        return str(value)
    return value if isinstance(value, str) else ""
