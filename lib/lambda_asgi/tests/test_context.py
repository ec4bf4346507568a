"""The context that handlers know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from awslambdaric.lambda_context import LambdaContext as Managed

from lambda_asgi import LambdaContext
from lambda_asgi.runtime_api import Next

CLIENT = {
    "custom": {"a": 1},
    "env": {"b": "2"},
    "client": {"app_title": "Chat"},
    "w3c": {"traceparent": "00-1-2-01", "baggage": 7, "other": "x"},
}


def call(**given: Any) -> Next:
    fields = {"trace_id": None, "client_context": None, "cognito_identity": None, **given}
    return Next("r", b"{}", 2**60, "arn", **fields)


def test_a_mobile_clients_context_has_the_managed_runtimes_attributes() -> None:
    """Attributes, the trace context beside them, the tenant and the identity are those of AWS's own class."""
    identity = {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}
    managed = Managed("r", json.loads(json.dumps(CLIENT)), identity, 2**60, "arn", "t1")
    ours = LambdaContext(
        call(client_context=json.dumps(CLIENT), cognito_identity=json.dumps(identity), tenant_id="t1"), {}
    )
    assert ours.w3c() == managed.w3c() == {"traceparent": "00-1-2-01"}
    assert ours.client_context is not None
    assert (ours.client_context.custom, ours.client_context.env) == ({"a": 1}, {"b": "2"})
    for name in type(managed.client_context.client).__slots__:
        assert getattr(ours.client_context.client, name) == getattr(managed.client_context.client, name)
    assert not hasattr(ours.client_context, "w3c")
    assert ours.identity.cognito_identity_id == "i" and ours.tenant_id == "t1"


@pytest.mark.parametrize(
    "odd", [None, "", "{", "[]", "7", '{"client": 7}', '{"w3c": []}', '{"client": {}, "w3c": null}']
)
def test_odd_contexts_are_read(odd: str | None) -> None:
    """A client cannot fail an invocation with what it says about itself."""
    ours = LambdaContext(call(client_context=odd, cognito_identity=odd), {})
    assert ours.w3c() == {} and ours.identity.cognito_identity_id is None
    assert ours.get_remaining_time_in_millis() > 0


def test_log_writes_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """No prefix and no line feed of its own."""
    LambdaContext(call(), {}).log("said")
    assert capsys.readouterr().out == "said"
