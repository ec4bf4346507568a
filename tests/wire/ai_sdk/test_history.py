"""A chat's messages as the AI SDK loads them."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.wire.ai_sdk.history import ui_messages


def made(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return list(ui_messages(messages))


def assistant(message_id: str, *parts: Any, **more: Any) -> dict[str, Any]:
    return {"id": message_id, "role": "assistant", "parts": list(parts), **more}


def only_part(part: Any) -> dict[str, Any] | None:
    (message,) = made(assistant("a", part))
    return next(iter(message["parts"][1:]), None)


def test_consecutive_answers_are_one_message() -> None:
    """With the id of the first, the metadata of all, and a mark where the next begins; an empty one adds nothing."""
    one, two = {"type": "text", "content": "One."}, {"type": "text", "content": "Two."}
    (message,) = made(
        assistant("a", one, metadata={"x": 1, "y": 1}), assistant("b"), assistant("c", two, metadata={"y": 2})
    )
    assert message["id"] == "a" and message["metadata"] == {"x": 1, "y": 2}
    marks = [part["data"]["id"] for part in message["parts"] if part["type"] == "data-resumable-message"]
    assert marks == ["c"]


def test_a_user_between_two_answers_keeps_them_apart() -> None:
    """And two messages of a user stay two."""
    user = {"id": "u", "role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    messages = made(assistant("a"), user, {**user, "id": "v"}, assistant("b"))
    assert [message["id"] for message in messages] == ["a", "u", "v", "b"]
    assert messages[1]["parts"] == [{"type": "text", "text": "Hi"}]


def test_roles_that_the_client_does_not_know_are_left_out() -> None:
    """A developer's message is a system message there."""
    roles = ["system", "developer", "tool", "reasoning", "activity"]
    messages = made(*({"id": role, "role": role, "parts": []} for role in roles))
    assert [(message["id"], message["role"]) for message in messages] == [("system", "system"), ("developer", "system")]


CALL = {"type": "tool-call", "id": "c", "name": "f", "arguments": '{"q":1}', "state": "input-complete"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (CALL, {"state": "input-available", "input": {"q": 1}}),
        ({**CALL, "arguments": ""}, {"state": "input-available", "input": {}}),
        ({**CALL, "arguments": '{"q'}, {"state": "output-error", "input": '{"q', "providerExecuted": True}),
        ({**CALL, "output": [1]}, {"state": "output-available", "output": [1], "providerExecuted": True}),
        ({**CALL, "output": {"error": "no"}, "state": "error"}, {"state": "output-error", "errorText": "no"}),
        ({**CALL, "approval": {"id": "p"}}, {"state": "approval-requested", "approval": {"id": "p"}}),
        (
            {**CALL, "approval": {"id": "p", "approved": True, "reason": "ok"}},
            {"state": "approval-responded", "approval": {"id": "p", "approved": True, "reason": "ok"}},
        ),
        ({**CALL, "approval": {"id": "p", "approved": False}}, {"state": "output-denied"}),
        (
            {**CALL, "metadata": {"thoughtSignature": "S"}},
            {"callProviderMetadata": {"resumable": {"thoughtSignature": "S"}}},
        ),
        ({"type": "structured-output", "raw": '{"a":1}'}, {"type": "text", "text": '{"a":1}'}),
        ({"type": "ui-resource", "resource": {"uri": "ui://x"}}, {"data": {"resource": {"uri": "ui://x"}}}),
        (
            {"type": "image", "source": {"type": "data", "value": "QUJD"}},
            {"type": "file", "mediaType": "image/*", "url": "data:image/*;base64,QUJD"},
        ),
        (
            {"type": "document", "source": {"type": "url", "value": "https://x"}},
            {"mediaType": "application/octet-stream", "url": "https://x"},
        ),
    ],
)
def test_a_part_of_ours_has_a_form_there(part: dict[str, Any], expected: dict[str, Any]) -> None:
    """As the stream would have built it."""
    got = only_part(part) or {}
    assert {name: got.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "part",
    [
        *(
            None,
            "text",
            {"type": 7},
            {"type": "unheard-of"},
            {"type": "image"},
            {"type": "image", "source": {"value": 1}},
        ),
        *({"type": "tool-call", "id": 7}, {"type": "source-url", "sourceId": "s"}, {"type": "tool-result"}),
    ],
)
def test_a_part_of_no_form_is_left_out(part: Any) -> None:
    """Whatever a log holds, a page loads."""
    assert only_part(part) is None


def test_metadata_too_deep_for_the_client_are_left_out() -> None:
    """Its schema is recursive, and would run out of stack."""
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    assert "callProviderMetadata" not in (only_part({**CALL, "metadata": deep}) or {})
