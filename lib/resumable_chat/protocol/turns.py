"""Turns: what a send adds to a chat before the model answers, and how a reader applies it.

A turn is stored as our own ``CUSTOM resumable.turn`` chunk, which carries the whole message and where it hangs,
followed by the text events that readers of the plain log format understand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .chunks import Chunk, text_content, text_end, text_start

Message = dict[str, Any]

TURN: Final = "resumable.turn"

_ROLES: Final = frozenset({"user", "assistant", "system", "developer", "tool", "reasoning", "activity"})


@dataclass(frozen=True, slots=True)
class Turn:
    """A message as a send stores it.

    ``after`` is the id of the message before it in the submitted list, None if it is the first; ``seen`` is the
    sender's cursor; ``pending`` marks a message that an earlier, failed send left behind: it is added if it is
    missing, and never replaces or cuts anything.
    """

    message: Message
    after: str | None
    seen: int | None
    run_id: str | None
    pending: bool = False

    def chunk(self) -> Chunk:
        """The ``resumable.turn`` chunk."""
        value: dict[str, Any] = {"message": self.message, "after": self.after}
        if self.seen is not None:
            value["seen"] = self.seen
        if self.run_id is not None:
            value["runId"] = self.run_id
        if self.pending:
            value["pending"] = True
        return {"type": "CUSTOM", "name": TURN, "value": value}

    @property
    def text(self) -> str:
        """The message's text parts, joined."""
        return "".join(
            part["content"]
            for part in self.message["parts"]
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("content"), str)
        )

    def text_events(self) -> list[Chunk]:
        """The message for readers that know only text events; empty unless it is a user's."""
        if self.message["role"] != "user":
            return []
        message_id = self.message["id"]
        content = [text_content(message_id, self.text)] if self.text else []
        return [text_start(message_id, "user"), *content, text_end(message_id)]


def read_turn(chunk: Mapping[str, Any]) -> Turn | None:
    """The turn in a chunk; None if the chunk is something else or its turn is unreadable."""
    if chunk.get("type") != "CUSTOM" or chunk.get("name") != TURN:
        return None
    value = chunk.get("value")
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(message, dict):
        return None
    if not isinstance(message.get("id"), str) or not isinstance(message.get("parts"), list):
        return None
    if message.get("role") not in _ROLES:
        return None
    after, seen, run_id = value.get("after"), value.get("seen"), value.get("runId")
    return Turn(
        message=message,
        after=after if isinstance(after, str) else None,
        seen=seen if type(seen) is int and seen >= 0 else None,
        run_id=run_id if isinstance(run_id, str) else None,
        pending=value.get("pending") is True,
    )


def turns_of(messages: Sequence[Message], *, seen: int | None, run_id: str | None) -> list[Turn]:
    """The turns that sending this list stores: the trailing user messages, or the last message if it is no user's.

    A client whose send failed keeps the unanswered message and submits it again with the next one; the last
    message is no user's when it carries the results of client tools or an approval.
    ``messages`` is what ``wire.messages.read_messages`` returns, and not empty.
    """
    first = len(messages) - 1
    while first > 0 and messages[first]["role"] == messages[first - 1]["role"] == "user":
        first -= 1
    last = len(messages) - 1
    return [
        Turn(
            message=messages[index],
            after=messages[index - 1]["id"] if index else None,
            seen=seen,
            run_id=run_id,
            pending=index < last,
        )
        for index in range(first, len(messages))
    ]


def apply_turn(messages: list[Message], turn: Turn, *, position: int, newest_data: int) -> bool:
    """Put a turn's message where it belongs; True if messages after it were cut off.

    ``position`` is the sequence number of the generation's opening fence, ``newest_data`` that of the last data
    record before it (-1: none). The sender was behind if data it had not seen stands before the fence: then
    nothing is cut, for what it did not see it cannot have meant to replace.
    """
    seen = turn.seen if turn.seen is not None and turn.seen <= position else None
    behind = seen is not None and newest_data >= seen
    at = next((index for index, known in enumerate(messages) if known.get("id") == turn.message["id"]), None)
    if turn.pending:
        if at is None:
            messages.append(turn.message)
        return False
    if at is not None:
        messages[at] = turn.message
        return False if behind else _cut(messages, at + 1)
    cut = False
    if seen is not None and not behind:
        if turn.after is None:
            cut = _cut(messages, 0)
        else:
            hangs = next((index for index, known in enumerate(messages) if known.get("id") == turn.after), None)
            if hangs is not None:
                cut = _cut(messages, hangs + 1)
    messages.append(turn.message)
    return cut


def _cut(messages: list[Message], length: int) -> bool:
    if len(messages) <= length:
        return False
    del messages[length:]
    return True


def tool_results(messages: Sequence[Message]) -> list[Chunk]:
    """TOOL_CALL_RESULT chunks for the AG-UI rows of client tools that end the list; none if it ends otherwise."""
    results: list[Chunk] = []
    for message in reversed(messages):
        if message["role"] != "tool" or not isinstance(message.get("toolCallId"), str):
            break
        result = {"type": "TOOL_CALL_RESULT", "toolCallId": message["toolCallId"], "messageId": message["id"]}
        results.insert(0, {**result, "content": message.get("content", "")})
    return results
