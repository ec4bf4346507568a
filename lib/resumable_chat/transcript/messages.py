"""The list of messages that a fold writes to, with its indexes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .values import Message, is_id


class MessageList:
    """UIMessages in order, found by their ids and by the tool calls they hold.

    ``append`` takes constant time; ``replace``, ``rename``, ``cut_after`` and ``insert_after`` take time in
    proportion to the parts of the messages that they touch, remove or move. Ids may repeat, as snapshots hold any rows.
    """

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._list: list[Message] = []
        self._by_id: dict[Any, list[Message]] = {}
        self._by_call: dict[Any, list[Message]] = {}
        self._positions: dict[int, int] = {}
        """Positions in the list, by the identity of the message."""
        for message in messages:
            self.append(message)

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._list)

    @property
    def as_list(self) -> list[Message]:
        """The list itself. Only this class may change its length or order."""
        return self._list

    def named(self, message_id: Any) -> Sequence[Message]:
        """Return the messages with this id, in order."""
        return self._by_id.get(message_id, ())

    def holders(self, call_id: Any) -> Sequence[Message]:
        """Return the messages that hold this tool call, in order."""
        return self._by_call.get(call_id, ())

    def append(self, message: Message) -> None:
        """Add a message at the end."""
        message = self._own(message)
        self._positions[id(message)] = len(self._list)
        self._list.append(message)
        self._index(message)

    def insert_after(self, message_id: Any, message: Message) -> bool:
        """Insert a message behind the first with this id (None: in front of all); False if that id is unknown."""
        at = self._place(message_id)
        if at is None:
            return False
        message = self._own(message)
        self._list.insert(at, message)
        self._renumber(at)
        self._index(message)
        return True

    def replace(self, message: Message) -> bool:
        """Put a message in the place of the first with its id; False if that id is unknown."""
        named = self.named(message.get("id"))
        if not named:
            return False
        at = self._positions.pop(id(named[0]))
        self._unindex(named[0])
        message = self._list[at] = self._own(message)
        self._positions[id(message)] = at
        self._index(message)
        return True

    def cut_after(self, message_id: Any) -> bool:
        """Remove what follows the first message with this id (None: everything); True if anything was removed."""
        length = self._place(message_id)
        if length is None or length == len(self._list):
            return False
        while len(self._list) > length:
            message = self._list.pop()
            del self._positions[id(message)]
            self._unindex(message)
        return True

    def remove(self, message_id: Any) -> None:
        """Remove every message with this id."""
        for message in list(self.named(message_id)):
            at = self._positions.pop(id(message))
            del self._list[at]
            self._renumber(at)
            self._unindex(message)

    def rename(self, old: Any, new: Any) -> None:
        """Give every message with the id ``old`` the id ``new``."""
        for message in self._by_id.pop(old, []):
            message["id"] = new
            self._enter(self._by_id.setdefault(new, []), message)

    def holds(self, message: Message, call_id: Any) -> None:
        """Take note that a tool call was added to a message of the list."""
        self._enter(self._by_call.setdefault(call_id, []), message)

    def _own(self, message: Message) -> Message:
        """Return the message, or a copy if the list holds it already or some of its parts are not objects."""
        parts = message.get("parts")
        if type(parts) is not list or (parts and not all(type(part) is dict for part in parts)):
            return {**message, "parts": [part for part in parts if type(part) is dict] if type(parts) is list else []}
        return dict(message) if id(message) in self._positions else message

    def _place(self, message_id: Any) -> int | None:
        """Return the position behind the first message with this id, 0 for None."""
        if message_id is None:
            return 0
        named = self.named(message_id)
        return self._positions[id(named[0])] + 1 if named else None

    def _renumber(self, start: int) -> None:
        for at in range(start, len(self._list)):
            self._positions[id(self._list[at])] = at

    def _enter(self, group: list[Message], message: Message) -> None:
        """Add a message to one of the groups, each of which is in the order of the list."""
        at = self._positions[id(message)]
        if not group or self._positions[id(group[-1])] < at:
            group.append(message)
        else:
            group.insert(bisect_left(group, at, key=lambda held: self._positions[id(held)]), message)

    def _index(self, message: Message) -> None:
        self._enter(self._by_id.setdefault(message.get("id"), []), message)
        for call_id in _calls(message) if message["parts"] else ():
            self._enter(self._by_call.setdefault(call_id, []), message)

    def _unindex(self, message: Message) -> None:
        groups = [(self._by_id, message.get("id")), *((self._by_call, call_id) for call_id in _calls(message))]
        for index, key in groups:
            group = index.get(key, [])
            if group and group[-1] is message:
                group.pop()
            else:
                group[:] = [held for held in group if held is not message]
            if not group:
                index.pop(key, None)


def _calls(message: Message) -> set[Any]:
    """Return the ids of the tool calls that a message holds."""
    return {part.get("id") for part in message["parts"] if part.get("type") == "tool-call" and is_id(part.get("id"))}
