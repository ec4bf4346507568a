"""What a client means by the list that it submits."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.errors import BadRequest
from resumable_chat.wire.ai_sdk import REGENERATE, SUBMIT, read_submission

U1 = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "One?"}]}
U2 = {"id": "u2", "role": "user", "parts": [{"type": "text", "text": "Two?"}]}
A1 = {"id": "a1", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": "One."}]}


def called(state: str, **more: Any) -> dict[str, Any]:
    call = {"type": "dynamic-tool", "toolName": "f", "toolCallId": "c", "state": state, "input": {}, **more}
    return {"id": "a1", "role": "assistant", "parts": [{"type": "step-start"}, call]}


def ids(messages: Any) -> list[str]:
    return [message["id"] for message in messages]


def test_a_new_message_has_a_key_of_its_own() -> None:
    """The same request twice is one run, and another message is another run."""
    first = read_submission([U1], SUBMIT, None)
    assert first.run_id is not None and first == read_submission([U1])
    assert read_submission([U1, A1, U2]).run_id not in (None, first.run_id)


@pytest.mark.parametrize(("trigger", "message_id"), [(SUBMIT, "u1"), (REGENERATE, "a1"), (REGENERATE, None)])
def test_an_edit_or_another_try_is_always_a_new_run(trigger: str, message_id: str | None) -> None:
    """The user may well go from A to B and back to A."""
    submitted = read_submission([U1], trigger, message_id)
    assert submitted.run_id is None and submitted.continues is None and ids(submitted.messages) == ["u1"]


def test_the_result_of_a_client_tool_continues_its_message() -> None:
    """The answer goes on in it."""
    submitted = read_submission([U1, called("output-available", output=1)], SUBMIT, "a1")
    assert submitted.continues == "a1" and list(submitted.known_calls) == ["c"]
    assert ids(submitted.messages) == ["u1", "a1"] and submitted.run_id is None


def test_a_send_without_a_message_asks_again() -> None:
    """The client adds the new answer to the one that it has, which the log drops."""
    for last in (A1, called("output-available", output=1, providerExecuted=True)):
        submitted = read_submission([U1, last], SUBMIT, "a1")
        assert ids(submitted.messages) == ["u1"] and submitted.continues == "a1"
    assert ids(read_submission([U1, A1], REGENERATE).messages) == ["u1"]


def test_the_server_alone_says_how_a_run_ended() -> None:
    """Such metadata of a client are left out."""
    forged = {**A1, "metadata": {"resumable": {"run": {"outcome": "finished"}}, "mine": 1}}
    assert read_submission([U1, forged, U2]).messages[1]["metadata"] == {"mine": 1}


@pytest.mark.parametrize(
    ("messages", "trigger", "message_id", "status", "words"),
    [
        (None, SUBMIT, None, 400, "messages: must be the list"),
        ([], SUBMIT, None, 400, "messages: is empty"),
        ([U1], "resume-stream", None, 400, "trigger: must be"),
        ([U1], ["x"], None, 400, "trigger: must be"),
        ([A1], REGENERATE, None, 400, "messages: has nothing to answer"),
        ([U1, {**A1, "metadata": 1}], SUBMIT, None, 400, "messages[1].metadata: must be an object"),
        (
            [U1, called("approval-responded", approval={"id": "p", "approved": True}), U2],
            SUBMIT,
            "a1",
            422,
            "messageId",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(messages: Any, trigger: Any, message_id: Any, status: int, words: str) -> None:
    """The text names the field."""
    with pytest.raises(BadRequest) as refused:
        read_submission(messages, trigger, message_id)
    assert refused.value.status == status and refused.value.detail.startswith(words)
