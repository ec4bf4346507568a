"""A chat's messages as the AI SDK's UIMessages, for a page that loads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from .names import Message, message_mark
from .parts import ui_parts

_ROLES: Final = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


def ui_messages(messages: Sequence[Message]) -> Iterator[Message]:
    """Yield the UIMessages that these messages of a chat are for the AI SDK.

    Consecutive assistant messages are one there, with the id of the first. The metadata of all of them are merged.
    """
    group: list[Message] = []
    for message in messages:
        if message.get("role") not in _ROLES or not isinstance(message.get("id"), str):
            continue
        if group and not (message["role"] == group[-1]["role"] == "assistant"):
            yield joined(group)
            group = []
        group.append(message)
    if group:
        yield joined(group)


def joined(group: Sequence[Message]) -> Message:
    """Return one UIMessage for one message, or for consecutive ones of the assistant."""
    first = group[0]
    parts = list(ui_parts(first))
    metadata = dict(_metadata(first))
    for message in group[1:]:
        more = list(ui_parts(message))
        if len(more) > 1:
            step, *rest = more
            parts += [step, message_mark(message["id"]), *rest]
        metadata |= _metadata(message)
    made: Message = {"id": first["id"], "role": _ROLES[first["role"]], "parts": parts}
    return {**made, "metadata": metadata} if metadata else made


def last_answer(messages: Sequence[Message]) -> list[Message]:
    """Return the consecutive assistant messages at the end of a chat."""
    start = len(messages)
    while start and messages[start - 1].get("role") == "assistant":
        start -= 1
    return list(messages[start:])


def _metadata(message: Message) -> dict[str, Any]:
    metadata = message.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
