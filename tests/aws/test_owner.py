"""No request reaches another owner's chat, and nobody shares one because the platform could not tell callers apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from resumable_chat import BadRequest
from resumable_chat.aws.owner import owner_of
from resumable_chat.aws.service import Service
from resumable_chat.settings import MAX_PREFIX_BYTES
from resumable_chat.web.owners import PUBLIC, Kind, Owner, Public, owned_stream
from resumable_chat.web.requests import _CHAT_ID

EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*-*.json"))
ADA = "arn:aws:sts::123456789012:assumed-role/chat-user/ada"
GUEST = "arn:aws:sts::123456789012:assumed-role/pool-auth/CognitoIdentityCredentials"

owners = st.builds(Owner, st.sampled_from(get_args(Kind)), st.text(), st.text())
chat_ids = st.from_regex(_CHAT_ID, fullmatch=True)
Chat = tuple[Owner | Public, str]
chats = st.tuples(st.just(PUBLIC) | owners, chat_ids)


def context(**fields: Any) -> dict[str, Any]:
    return {"requestContext": fields}


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_the_sample_events_name_their_caller(path: Path) -> None:
    """The same user has the same chats behind a REST and an HTTP API; a function URL names its IAM principal."""
    found = owner_of(json.loads(path.read_text()))
    assert found is not None and path.stem.split("-")[1] in ("rest", "http", "url")
    if path.stem.endswith("-url"):
        assert found == Owner("iam", ADA)
    else:
        assert found.kind == "jwt" and found.subject and "cognito-idp" in found.issuer


@pytest.mark.parametrize(
    ("event", "owner"),
    [
        (context(authorizer={"claims": {"sub": "s", "iss": "i"}}), Owner("jwt", "s", "i")),
        (context(authorizer={"jwt": {"claims": {"sub": "s", "iss": "i"}, "scopes": None}}), Owner("jwt", "s", "i")),
        (context(authorizer={"principalId": "ada", "integrationLatency": 5}), Owner("lambda", "ada")),
        (context(authorizer={"principalId": "user", "sub": "ada"}), Owner("lambda", "ada")),
        (context(authorizer={"lambda": {"sub": "ada"}}), Owner("lambda", "ada")),
        (context(authorizer={"lambda": {"sub": 7}}), Owner("lambda", "7")),
        (context(identity={"userArn": ADA, "cognitoIdentityId": None}), Owner("iam", ADA)),
        (context(identity={"userArn": GUEST, "cognitoIdentityId": "eu:1"}), Owner("cognito-identity", "eu:1")),
        (
            context(authorizer={"iam": {"userArn": GUEST, "cognitoIdentity": {"identityId": "eu:1"}}}),
            Owner("cognito-identity", "eu:1"),
        ),
    ],
)
def test_each_kind_of_authoriser_names_the_caller(event: Any, owner: Owner) -> None:
    """Claims, an authoriser's own context, IAM principals and Cognito identities, in both event formats."""
    assert owner_of(event) == owner


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "text",
        context(),
        context(authorizer=None, identity={"sourceIp": "203.0.113.7", "userArn": None}),
        context(authorizer={"claims": {"email": "ada@example.com"}}, identity={"userArn": ADA}),
        context(authorizer={"claims": "sub"}),
        context(authorizer={"jwt": {"claims": {"sub": ""}}}),
        context(authorizer={"principalId": "user"}),
        context(authorizer={"principalId": "me"}),
        context(authorizer={"principalId": ""}),
        context(authorizer={"lambda": None}),
        context(authorizer={"lambda": {"sub": True}}),
        context(authorizer={"iam": {"userArn": GUEST, "cognitoIdentity": None}}),
        context(identity={"userArn": GUEST}),
        {"headers": {"x-amzn-oidc-identity": "ada", "x-amzn-oidc-data": "e30.e30.e30"}, "requestContext": {"elb": {}}},
    ],
)
def test_a_caller_who_cannot_be_told_apart_has_no_owner(event: Any) -> None:
    """No identity, an empty one, or one that many share: a sample authoriser's constant, an identity pool's role."""
    assert owner_of(event) is None


@given(chats, chats)
def test_no_two_owners_or_chats_share_a_stream(one: Chat, other: Chat) -> None:
    """Different pairs of owner and chat id have different streams."""
    assert (owned_stream(*one) == owned_stream(*other)) == (one == other)


@given(st.text(), st.text(), st.text(), st.text())
def test_issuer_and_subject_cannot_be_shifted(a: str, b: str, c: str, d: str) -> None:
    """What stands in the issuer never counts as part of the subject."""
    assert (Owner("jwt", a, b).key == Owner("jwt", c, d).key) == ((a, b) == (c, d))


@given(owners, chat_ids)
def test_a_streams_name_is_bounded(owner: Owner, chat_id: str) -> None:
    """With the longest prefix it stays within S2's 512 bytes, whatever the identity's length, and shows none of it."""
    assert MAX_PREFIX_BYTES + len(owned_stream(owner, chat_id).encode()) <= 512
    assert owner.key.isascii() and owner.key.isalnum() and len(owner.key) == 52


def request(event: Any) -> Request:
    return Request({"type": "http", "headers": [], **({"aws.event": event} if event is not None else {})})


def service(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Service:
    for name in ("CHAT_AUTH", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"CHAT_LOG": "sqlite:///x.db", "CHAT_STREAM_PREFIX": "p/", **environ}.items():
        monkeypatch.setenv(name, value)
    return Service()


def test_on_lambda_a_caller_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default 401 without one; with one, the chat's stream is the caller's own."""
    on_lambda = service(monkeypatch, AWS_LAMBDA_FUNCTION_NAME="send")
    for nobody in (None, context()):
        with pytest.raises(BadRequest) as refused:
            on_lambda.stream(request(nobody), "tour")
        assert refused.value.status == 401 and "Sign in" in refused.value.detail
    streams = {on_lambda.stream(request(context(authorizer={"principalId": name})), "tour") for name in ("ada", "bob")}
    assert len(streams) == 2 and all(stream.startswith("p/") and stream.endswith("/tour") for stream in streams)


def test_an_open_chat_must_be_asked_for_on_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """CHAT_AUTH=none opens it; at home it is open unless CHAT_AUTH=required."""
    event = context(authorizer={"principalId": "ada"})
    assert service(monkeypatch, AWS_LAMBDA_FUNCTION_NAME="f", CHAT_AUTH="none").stream(request(event), "c") == "p/c"
    assert service(monkeypatch).stream(request(None), "c") == "p/c"
    with pytest.raises(BadRequest):
        service(monkeypatch, CHAT_AUTH="required").stream(request(None), "c")
