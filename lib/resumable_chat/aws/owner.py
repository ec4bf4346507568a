"""The owner of a chat on Lambda: the caller that API Gateway or a function URL has authenticated.

Only identities that the platform verified count, never anything that the request says about itself. A caller who cannot
be told apart from others owns no chat. Shapes of the events:

* REST API: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
* HTTP API: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
* function URL: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..web.owners import Owner

_COGNITO_SESSION: Final = "/CognitoIdentityCredentials"
"""The session name in ARNs of a Cognito identity pool; such an ARN is shared by everyone in the pool."""

_PLACEHOLDERS: Final = frozenset({"user", "me"})
"""The constant ``principalId`` of AWS's sample authorisers, which many real ones were copied from."""


def owner_of(event: Any) -> Owner | None:
    """Return the caller of an event: a REST API's (format 1.0), an HTTP API's or a function URL's (format 2.0).

    None if the caller was not authenticated, or shares the identity with others.
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
