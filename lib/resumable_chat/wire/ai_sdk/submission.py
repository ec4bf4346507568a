"""What a client of the AI SDK means by the list of messages that it submits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import BadRequest
from ..messages import read_messages
from .inbound import answers_tools, call_ids, read_ui_messages
from .names import Message

SUBMIT: Final = "submit-message"
REGENERATE: Final = "regenerate-message"


@dataclass(frozen=True, slots=True)
class Submission:
    """Messages of ours that end with the one to be answered.

    ``run_id`` is an idempotency key if the client sent a new message: its id is fresh. Anything else that is sent
    twice is meant twice. ``continues`` is the id of the assistant message that the client adds the answer to, and
    ``known_calls`` are the tool calls in it.
    """

    messages: Sequence[Message]
    run_id: str | None = None
    continues: str | None = None
    known_calls: Sequence[str] = ()


def read_submission(messages: Any, trigger: Any = SUBMIT, message_id: Any = None) -> Submission:
    """Return what the client submits. Raises BadRequest (400, 422), which names the field."""
    if trigger not in (SUBMIT, REGENERATE):
        raise BadRequest(400, f"trigger: must be {SUBMIT!r} or {REGENERATE!r}.")
    ours = read_messages(read_ui_messages(messages))
    last: Message = messages[-1]
    if trigger == REGENERATE:
        return Submission(_questions(ours))
    if last["role"] == "assistant":
        # `sendMessage()` without a message asks for another answer, unless the last one has something to tell.
        answered = ours if answers_tools(last) else _questions(ours)
        return Submission(answered, None, last["id"], call_ids(last))
    if any(message["id"] == message_id and message["role"] == "assistant" for message in messages):
        raise BadRequest(422, "messageId: other messages follow the tool call. Answer it before you send another one.")
    return Submission(ours, _key(last["id"]) if message_id is None and last["role"] == "user" else None)


def _questions(ours: Sequence[Message]) -> Sequence[Message]:
    """Return the messages without the answer at their end."""
    end = len(ours)
    while end and ours[end - 1]["role"] == "assistant":
        end -= 1
    if not end:
        raise BadRequest(400, "messages: has nothing to answer. Send a message of the user.")
    return ours[:end]


def _key(message_id: str) -> str:
    return f"ai-{hashlib.sha256(message_id.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
