"""Turns: what a send adds to a chat before the model answers, and how a reader applies it.

A turn is stored as our own ``CUSTOM resumable.turn`` chunk. It carries the whole message, where it hangs, and what the
sender's list says of the messages before it. The text events that follow it are for readers of the plain log format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .chunks import Chunk, encode, text_content, text_end, text_start
from .lists import Listing, Message, index_of, is_message, merge, read_listing, rewrite, same
from .marks import TURN


@dataclass(frozen=True, slots=True)
class Turn:
    """A message as a send stores it.

    ``after`` is the id of the message before it in the submitted list, None if it is the first. ``seen`` is the
    sender's cursor. ``pending`` marks a message that an earlier, failed send left behind: it is added if it is missing,
    and replaces nothing. ``listing`` is what the sender's list had before it, None in older logs and where the sender
    had no cursor.
    """

    message: Message
    after: str | None
    seen: int | None
    run_id: str | None
    pending: bool = False
    listing: Listing | None = None

    def chunk(self) -> Chunk:
        """Return the ``resumable.turn`` chunk."""
        value: dict[str, Any] = {"message": self.message, "after": self.after}
        if self.seen is not None:
            value["seen"] = self.seen
        if self.run_id is not None:
            value["runId"] = self.run_id
        if self.pending:
            value["pending"] = True
        if self.listing is not None:
            value["list"] = self.listing.value()
        return {"type": "CUSTOM", "name": TURN, "value": value}

    @property
    def text(self) -> str:
        """The message's text parts, joined."""
        return "".join(
            part["content"]
            for part in self.message["parts"]
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("content"), str)
        )

    def bodies(self, *, with_events: bool) -> list[bytes]:
        """Return the turn as record bodies. The text events only repeat, for other readers, what the turn says."""
        return [encode(chunk) for chunk in (self.chunk(), *(self.text_events() if with_events else ()))]

    def text_events(self) -> list[Chunk]:
        """Return the message for readers that know only text events; nothing unless it is a user's."""
        if self.message["role"] != "user":
            return []
        message_id = self.message["id"]
        content = [text_content(message_id, self.text)] if self.text else []
        return [text_start(message_id, "user"), *content, text_end(message_id)]

    def repeats(self, other: Turn) -> bool:
        """Return whether both are the same message of the same run: a request that came twice."""
        return self.run_id == other.run_id and same(self.message, other.message)


def read_turn(chunk: Mapping[str, Any]) -> Turn | None:
    """Return the turn in a chunk, None if the chunk is something else or its turn is unreadable."""
    if chunk.get("type") != "CUSTOM" or chunk.get("name") != TURN:
        return None
    value = chunk.get("value")
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(message, dict) or not is_message(message):
        return None
    after, seen, run_id = value.get("after"), value.get("seen"), value.get("runId")
    return Turn(
        message=message,
        after=after if isinstance(after, str) else None,
        seen=seen if type(seen) is int and seen >= 0 else None,
        run_id=run_id if isinstance(run_id, str) else None,
        pending=value.get("pending") is True,
        listing=read_listing(value.get("list")),
    )


@dataclass(frozen=True, slots=True)
class Edit:
    """What a turn makes of a chat: its first ``keep`` messages stay, and those of ``tail`` follow them.

    ``changed`` says that a message that was there changed, moved or went.
    """

    keep: int
    tail: list[Message]
    changed: bool


def edit_of(
    messages: Sequence[Message],
    turn: Turn,
    *,
    position: int,
    newest_data: int,
    is_known: Callable[[str], bool] | None = None,
) -> Edit:
    """Return what a turn makes of these messages, in time proportional to the messages that it names or cuts off.

    ``position`` is the sequence number of the generation's opening fence, ``newest_data`` that of the last data record
    before it (-1: none). ``is_known`` says whether a message has this id; without it, all messages are looked through.

    A sender that had seen everything may delete and correct earlier messages, if its list starts with the chat's first
    one. Any other list is partial: it only adds, or edits the messages it names. A sender that was behind cannot have
    meant to replace what it had not seen, so of its list the turn alone counts.
    """
    seen = turn.seen if turn.seen is not None and turn.seen <= position else None
    behind = seen is not None and newest_data >= seen
    current = seen is not None and not behind
    listing = turn.listing
    if listing is None or not (current or not messages):
        return _hang(messages, turn, is_known, cuts_known=not behind, cuts_after=current)
    start = _start(messages, listing)
    if start is not None and messages and messages[0].get("id") == listing.first:
        segment = messages[start:]
        tail = _rewritten(segment, listing, turn)
        return Edit(start, tail, _differ(segment, tail))
    if start is None or not listing.items:
        return _hang(messages, turn, is_known, cuts_known=True, cuts_after=False)
    segment = messages[start:]
    merged = merge(segment, listing.items)
    message_id = turn.message["id"]
    at = index_of(merged, message_id)
    if at is None and (is_known is None or is_known(message_id)):
        before = index_of(messages[:start], message_id)
        if before is not None:
            return _placed(messages, before, turn, cuts=True)
    placed = _placed(merged, at, turn, cuts=True)
    tail = [*merged[: placed.keep], *placed.tail]
    return Edit(start, tail, _differ(segment, tail))


def apply_turn(messages: list[Message], turn: Turn, *, position: int, newest_data: int) -> bool:
    """Put a turn's message where it belongs. Return whether messages that were there changed, moved or went.

    The arguments are those of ``edit_of``.
    """
    edit = edit_of(messages, turn, position=position, newest_data=newest_data)
    messages[edit.keep :] = edit.tail
    return edit.changed


def _start(messages: Sequence[Message], listing: Listing) -> int | None:
    """Return the index at which the listing's items begin, None if the message before them is gone."""
    if listing.after is None:
        return 0
    at = index_of(messages, listing.after)
    return None if at is None else at + 1


def _rewritten(segment: Sequence[Message], listing: Listing, turn: Turn) -> list[Message]:
    """Return what a complete list makes of the segment that it covers, with the turn at the end."""
    message_id = turn.message["id"]
    at = index_of(segment, message_id) if turn.pending else None
    rewritten = [message for message in rewrite(segment, listing.items) if message["id"] != message_id]
    return [*rewritten, turn.message if at is None else segment[at]]


def _hang(
    messages: Sequence[Message],
    turn: Turn,
    is_known: Callable[[str], bool] | None,
    *,
    cuts_known: bool,
    cuts_after: bool,
) -> Edit:
    """Return the edit of a turn whose list says nothing of the other messages."""
    message_id, end = turn.message["id"], len(messages)
    at = index_of(messages, message_id) if is_known is None or is_known(message_id) else None
    if at is None and cuts_after and not turn.pending:
        hangs = -1 if turn.after is None else index_of(messages, turn.after)
        end = end if hangs is None else hangs + 1
        return Edit(end, [turn.message], end < len(messages))
    return _placed(messages, at, turn, cuts=cuts_known)


def _placed(messages: Sequence[Message], at: int | None, turn: Turn, *, cuts: bool) -> Edit:
    """Return the edit that adds the turn's message, or puts it in the place ``at`` and ``cuts`` what follows."""
    end = len(messages)
    if at is None:
        return Edit(end, [turn.message], False)
    if turn.pending:
        return Edit(end, [], False)
    return Edit(at, [turn.message] if cuts else [turn.message, *messages[at + 1 :]], cuts and at + 1 < end)


def _differ(old: Sequence[Message], new: Sequence[Message]) -> bool:
    """Return whether any of the old messages changed, moved or went."""
    return len(new) < len(old) or any(before is not now for before, now in zip(old, new, strict=False))
