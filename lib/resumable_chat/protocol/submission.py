"""What a send stores: the records of a submitted list, within one append."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Final

import orjson

from ..errors import BadRequest
from .chunks import Chunk, decode, encode
from .generation import Generation
from .json_text import dumps
from .limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from .lists import Listing, Message
from .records import NewRecord, metered_bytes
from .turns import Turn, read_turn

_OVERHEAD: Final = 4096
"""Bytes kept free in the batch for the opening fence."""

WINDOW_BYTES: Final = 32 * 1024
"""Size of the newest messages that a turn repeats if its process cannot tell whether they changed.

A correction further back is lost then: the process wrote no earlier turn of the chat, or another one wrote since.
"""

WINDOW_IDS: Final = 500
"""Newest messages that such a turn at least names, so that a deletion among them is noticed."""

Digests = tuple[tuple[str, bytes], ...]
"""The ids and digests of a list that is known to be stored."""


@dataclass(frozen=True, slots=True)
class Body:
    """The records that store a submission. ``dropped`` counts the oldest new or changed messages that did not fit."""

    records: Sequence[NewRecord]
    dropped: int = 0


class Form(Enum):
    """How a list came, and so what it may change in a chat that is there."""

    OURS = "ours"
    """As UIMessages with all that is stored of them."""
    TRANSLATED = "translated"
    """From another format, which may have less room: only its last messages are stored."""
    ROWS = "rows"
    """Put together from rows, which say less: an answer at its end replaces none that is stored, either."""


@dataclass(frozen=True)
class Submission:
    """A submitted list: messages with ``id``, ``role`` and ``parts``, as ``wire.messages`` returns them; not empty.

    ``sender_cursor`` is what the sender had read of the chat, ``form`` how the messages came.
    """

    messages: Sequence[Message]
    run_id: str
    sender_cursor: int | None = None
    form: Form = Form.OURS

    @cached_property
    def results(self) -> list[Chunk]:
        """TOOL_CALL_RESULT chunks for the client tools' rows that end the list, stored in place of a turn."""
        return _tool_results(self.messages)

    @cached_property
    def digests(self) -> Digests:
        """The ids and digests of all messages of the list."""
        return tuple((message["id"], _digest(message)) for message in self.messages)

    def body(self, *, new_chat: bool, known: Digests | None) -> Body:
        """Return the records to append behind the opening fence.

        ``new_chat`` says that the chat may be empty, so that the whole list is stored, as far as it fits. ``known`` is
        the list that was stored last, if nothing can have changed since but by its answer. AG-UI rows begin a chat, but
        change nothing in one that is there, for a row may be less than the message it stands for.

        Raises BadRequest (413) if the messages to be answered do not fit one append.
        """
        if self.results:
            return Body(_fitting([], self.results))
        first = self._first_turn
        earlier = self.messages[:first]
        rows = self.form is not Form.OURS or any(_is_row(message) for message in earlier)
        before = [_stored(message) for message in earlier if message["parts"] or not _is_row(message)]
        listing, dropped = None, 0
        if new_chat and before:
            items = _newest(before, self._room(first))
            dropped = sum(item is None for item in items)
            kept = tuple(item for item in items if item is not None)
            listing = Listing(kept[0]["id"] if kept else self.messages[first]["id"], None, kept)
        elif self.sender_cursor is not None and (rows or not before):
            listing = Listing(self.messages[first if rows else 0]["id"], None)
        elif self.sender_cursor is not None:
            listing, dropped = self._changes(before, known, self._room(first))
        return Body(_fitting(self._turns(first, listing), ()), dropped)

    def _room(self, first: int) -> int:
        """Return how many bytes the turns leave for what comes before them."""
        return MAX_BATCH_BYTES - _OVERHEAD - metered_bytes(_fitting(self._turns(first, None), ()))

    def _changes(self, before: Sequence[Message], known: Digests | None, room: int) -> tuple[Listing, int]:
        """Return what may have changed before the turn, and how many changed messages do not fit."""
        first = self.messages[0]["id"]
        if known is not None:
            same = 0
            for ours, theirs in zip(self.digests[: len(before)], known, strict=False):
                if ours != theirs:
                    break
                same += 1
            unchanged = set(known)
            named = [
                message["id"] if digest in unchanged else message
                for message, digest in zip(before[same:], self.digests[same : len(before)], strict=True)
            ]
        else:
            same = max(0, len(before) - WINDOW_IDS)
            named = list(before[same:])
            room = min(room, WINDOW_BYTES)
        fitting = _newest([item for item in named if not isinstance(item, str)], room)
        whole = iter(fitting)
        items = [item if isinstance(item, str) else next(whole) or item["id"] for item in named]
        dropped = 0 if known is None else sum(item is None for item in fitting)
        return Listing(first, before[same - 1]["id"] if same else None, tuple(items)), dropped

    @property
    def _first_turn(self) -> int:
        """The index of the first of the user messages that end the list, or of the last message if it is not a user's.

        A client whose send failed keeps the unanswered message, and submits it again with the next one. The last
        message is not a user's when it carries the results of client tools, or an approval.
        """
        messages = self.messages
        first = len(messages) - 1
        while first > 0 and messages[first]["role"] == messages[first - 1]["role"] == "user":
            first -= 1
        return first

    def _turns(self, first: int, listing: Listing | None) -> list[Turn]:
        messages, last = self.messages, len(self.messages) - 1
        return [
            Turn(
                message=_stored(messages[index]),
                after=messages[index - 1]["id"] if index else None,
                seen=self.sender_cursor,
                run_id=self.run_id,
                pending=index < last or (self.form is Form.ROWS and messages[index]["role"] != "user"),
                listing=listing
                if index == first or listing is None
                else Listing(listing.first, messages[index - 1]["id"]),
            )
            for index in range(first, last + 1)
        ]

    def repeats(self, generation: Generation) -> bool:
        """Return whether a generation of this run stores this very submission; True if it does not say."""
        if self.results:
            return _said(self.results) == _said(generation.results) or not (generation.results or generation.turn)
        if generation.turn is None:
            return not generation.results
        return self.turn.repeats(generation.turn)

    def differs(self, turn: Turn) -> bool:
        """Return whether a stored turn of this run is another message."""
        return not self.results and not self.turn.repeats(turn)

    @cached_property
    def turn(self) -> Turn:
        """The turn to be answered, as a reader gets it back."""
        turn = self._turns(len(self.messages) - 1, None)[0]
        return read_turn(decode(encode(turn.chunk())) or {}) or turn


def _is_row(message: Mapping[str, Any]) -> bool:
    """Return whether a submitted message is an AG-UI row, whose parts may be less than the message it stands for."""
    return "content" in message or "toolCalls" in message or message["role"] in ("tool", "reasoning", "activity")


def _stored(message: Mapping[str, Any]) -> Message:
    """Return a submitted message as it is stored: a row's ``content`` is in its parts already."""
    return {key: value for key, value in message.items() if key not in ("content", "toolCalls")}


def _tool_results(messages: Sequence[Message]) -> list[Chunk]:
    """Return TOOL_CALL_RESULTs for the client tools' rows that end the list."""
    results: list[Chunk] = []
    for message in reversed(messages):
        if message["role"] != "tool" or not isinstance(message.get("toolCallId"), str):
            break
        result = {"type": "TOOL_CALL_RESULT", "toolCallId": message["toolCallId"], "messageId": message["id"]}
        results.insert(0, {**result, "content": message.get("content", "")})
    return results


def _newest(messages: Sequence[Message], room: int) -> list[Message | None]:
    """Return the messages, with None for those that do not fit ``room`` bytes.

    A leading system message comes first, then the newest, without a gap.
    """
    kept: list[Message | None] = [None] * len(messages)
    order = list(range(len(messages)))[::-1]
    if messages and messages[0]["role"] in ("system", "developer"):
        order = [0, *order[:-1]]
    for index in order:
        room -= len(dumps(messages[index])) + 1
        if room < 0:
            break
        kept[index] = messages[index]
    return kept


def _said(results: Sequence[Chunk]) -> list[tuple[object, object]]:
    return [(result.get("toolCallId"), result.get("content")) for result in results]


def _digest(message: Message) -> bytes:
    said = [message["id"], message["role"], message["parts"]]
    try:
        body = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        body = dumps(said)
    return hashlib.blake2b(body, digest_size=8).digest()


def _fitting(turns: Sequence[Turn], results: Sequence[Chunk]) -> list[NewRecord]:
    after = [encode(result) for result in results]
    for with_events in (True, False):
        bodies = [body for turn in turns for body in turn.bodies(with_events=with_events and turn is turns[-1])]
        records = [NewRecord(body) for body in (*bodies, *after)]
        if metered_bytes(records) <= MAX_BATCH_BYTES - _OVERHEAD and len(records) < MAX_BATCH_RECORDS:
            return records
    raise BadRequest(
        413,
        f"The message takes {metered_bytes(records):,} bytes; {MAX_BATCH_BYTES - _OVERHEAD:,} fit. "
        "Upload large files elsewhere and send their URL.",
    )
