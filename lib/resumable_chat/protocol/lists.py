"""The list that a sender submitted, as its turn stores it, and what it changes in a chat.

A turn cannot repeat the whole chat, and the sender's process does not read the chat before it stores the turn. So a
listing names what it knows to be stored already, and holds what may be new or corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .message_shapes import message_flaw
from .open_parts import METADATA

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a submitted list has before the turn.

    ``first`` is the id of the list's first message, the turn's own if nothing comes before it. Up to the message
    ``after`` the list is as stored (None: nothing is known of it). ``items`` follow: the ids of messages that are as
    stored, and whole messages that may be new or corrected.
    """

    first: str
    after: str | None
    items: tuple[str | Message, ...] = ()

    def value(self) -> dict[str, Any]:
        """Return the listing as JSON."""
        return {"first": self.first, "after": self.after, "items": list(self.items)}


def is_message(value: Any) -> bool:
    """Return whether a stored value is a message that readers can show and clients can submit again."""
    return isinstance(value, dict) and isinstance(value.get("parts"), list) and message_flaw(value) is None


def read_listing(value: Any) -> Listing | None:
    """Return the listing in a stored turn, None if any of it cannot be read: half a list would delete messages."""
    if not isinstance(value, dict):
        return None
    first, after, items = value.get("first"), value.get("after"), value.get("items")
    if not isinstance(first, str) or not (after is None or isinstance(after, str)) or not isinstance(items, list):
        return None
    if not all(isinstance(item, str) or is_message(item) for item in items):
        return None
    return Listing(first, after, tuple(items))


def same(one: Message, other: Message) -> bool:
    """Return whether two messages say the same: id, role and parts."""
    try:
        return all(one.get(key) == other.get(key) for key in ("id", "role", "parts"))
    except RecursionError:
        return False


def index_of(messages: Sequence[Message], message_id: str | None) -> int | None:
    """Return the index of the last message with this id. Looks from the end, where turns usually hang."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].get("id") == message_id:
            return index
    return None


def replaced(known: Message, submitted: Message) -> Message:
    """Return ``submitted`` with our metadata of ``known``, or ``known`` itself if both say the same."""
    if same(known, submitted):
        return known
    metadata = known.get("metadata")
    if not isinstance(metadata, dict) or METADATA not in metadata:
        return submitted
    new = submitted.get("metadata")
    return {**submitted, "metadata": {**(new if isinstance(new, dict) else {}), METADATA: metadata[METADATA]}}


def rewrite(segment: Sequence[Message], items: Sequence[str | Message]) -> list[Message]:
    """Return the messages of a complete list: exactly its items, with what is stored of them."""
    known = _by_id(segment)
    result: dict[str, Message] = {}
    for item in items:
        if not isinstance(item, str):
            before = known.get(item["id"])
            result[item["id"]] = item if before is None else replaced(before, item)
        elif item in known:
            result[item] = known[item]
    return list(result.values())


def merge(segment: Sequence[Message], items: Sequence[str | Message]) -> list[Message]:
    """Return the messages with those of a partial list: corrected where it names them, added where it has new ones.

    A new message goes before the next one of the list that is stored, or to the end.
    """
    known = _by_id(segment)
    corrected: dict[str, Message] = {}
    before: dict[str, list[Message]] = {}
    waiting: dict[str, Message] = {}
    for item in items:
        message_id = item if isinstance(item, str) else item["id"]
        if message_id in known:
            before.setdefault(message_id, []).extend(waiting.values())
            waiting = {}
            if not isinstance(item, str):
                corrected[message_id] = replaced(known[message_id], item)
        elif not isinstance(item, str):
            waiting[message_id] = item
    result: list[Message] = []
    for message in segment:
        message_id = message.get("id")
        if isinstance(message_id, str):
            result += before.pop(message_id, ())
            message = corrected.get(message_id, message)
        result.append(message)
    return [*result, *waiting.values()]


def _by_id(messages: Sequence[Message]) -> dict[str, Message]:
    return {message["id"]: message for message in messages if isinstance(message.get("id"), str)}
