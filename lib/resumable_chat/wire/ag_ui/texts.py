"""The texts of one run, and the rows that its messages are split into."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ...protocol.chunks import Chunk
from ...protocol.open_parts import METADATA
from ...transcript.js import added_text, blank
from .fields import Event, has_failed, with_metadata
from .rows import Rows

_ROLES: Final = frozenset({"user", "system", "developer", "assistant"})


@dataclass(slots=True)
class _Waiting:
    """The start of a text that is held back until there is something to show."""

    role: str
    fields: dict[str, Any]
    text: str = ""


class Texts:
    """Opens and closes the rows of texts.

    * A start is held back until something of its text can be shown: clients place a row by its first event, and the
      fold removes texts of nothing but white space.
    * A text goes on in a new row after calls or thoughts.
    * Metadata that come after the end of their text reopen its row for a moment.
    * The outcome is told once, at the end of the whole run.
    """

    def __init__(self, run_id: str, users: Collection[str]) -> None:
        self._run_id = run_id
        self._users = users
        self._rows: dict[str, Rows] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._open: dict[str, str] = {}
        """The open row of each message."""
        self._told: dict[str, dict[str, Any]] = {}
        """The metadata that tell the outcome, by the messages that carry them."""
        self._newest: str | None = None

    def owner(self, preferred: Any = None) -> str:
        """Return the answer that a part belongs to: the preferred one if it is known, else the newest."""
        known = isinstance(preferred, str) and (
            preferred in self._rows or preferred in self._waiting or self._newest is None
        )
        if known and preferred not in self._users:
            self._newest = self._newest or preferred
            return str(preferred)
        self._newest = self._newest or f"msg-{self._run_id}"
        return self._newest

    def rows(self, message_id: str) -> Rows:
        """Return the rows of a message."""
        rows = self._rows.get(message_id)
        if rows is None:
            rows = self._rows[message_id] = Rows(message_id)
        return rows

    def start(self, chunk: Chunk) -> Iterator[Event]:
        """Take note of a text's start."""
        message_id = chunk.get("messageId")
        if not isinstance(message_id, str):
            return
        role = chunk.get("role")
        role = role if isinstance(role, str) and role in _ROLES else "assistant"
        if role == "assistant":
            self._newest = message_id
        if message_id in self._open:
            yield from self._noted(message_id, chunk)
            return
        fields = {"name": chunk["name"]} if isinstance(chunk.get("name"), str) else {}
        waiting = self._waiting.setdefault(message_id, _Waiting(role, fields))
        waiting.fields = with_metadata(waiting.fields, chunk.get("metadata"))

    def content(self, chunk: Chunk) -> Iterator[Event]:
        """Yield the events for more of a text."""
        given = chunk.get("messageId")
        message_id = given if isinstance(given, str) else self.owner()
        delta = added_text(chunk.get("delta"))
        if message_id not in self._open:
            waiting = self._waiting.setdefault(message_id, _Waiting(self._role(message_id), {}))
            waiting.text += delta
            waiting.fields = with_metadata(waiting.fields, chunk.get("metadata"))
            if not blank(waiting.text) or self.rows(message_id).used:
                yield from self.show(message_id)
        elif delta:
            row = yield from self._row(message_id)
            event = {"type": "TEXT_MESSAGE_CONTENT", "messageId": row, "delta": delta}
            yield with_metadata(event, chunk.get("metadata"))
        else:
            yield from self._noted(message_id, chunk)

    def show(self, message_id: str) -> Iterator[Event]:
        """Yield the start that was held back, if any text waits behind it, and that text."""
        waiting = self._waiting.get(message_id)
        if waiting is None or not waiting.text:
            return
        del self._waiting[message_id]
        row = self._open[message_id] = self.rows(message_id).text()
        yield {"type": "TEXT_MESSAGE_START", "messageId": row, "role": waiting.role, **waiting.fields}
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": row, "delta": waiting.text}

    def end(self, chunk: Chunk) -> Iterator[Event]:
        """Yield the end of a text, unless it tells the outcome: a loop of runs has several, and the last one counts."""
        message_id, metadata = chunk.get("messageId"), chunk.get("metadata")
        if not isinstance(message_id, str):
            return
        if isinstance(metadata, dict) and METADATA in metadata:
            self._told[message_id] = metadata
        else:
            yield from self._ended(message_id, metadata)

    def untold(self) -> None:
        """Forget the outcome: another run of the loop has begun."""
        self._told = {}

    def close(self) -> Iterator[Event]:
        """Yield the ends of the open texts, and the outcome."""
        for message_id in [*self._open]:
            if message_id not in self._told:
                yield from self._ended(message_id)
        for message_id, metadata in self._told.items():
            yield from self._ended(message_id, metadata)
        self._told = {}

    def forget(self) -> None:
        """Begin again with no rows: a snapshot has replaced them."""
        self._rows, self._waiting, self._open = {}, {}, {}

    def _ended(self, message_id: str, metadata: Any = None) -> Iterator[Event]:
        row = self._open.pop(message_id, None)
        if row is not None:
            yield with_metadata({"type": "TEXT_MESSAGE_END", "messageId": row}, metadata)
            return
        waiting = self._waiting.pop(message_id, None)
        is_users = message_id in self._users
        shown = is_users or self.rows(message_id).shown
        if not isinstance(metadata, dict) or not (shown or has_failed(metadata)):
            # There is nothing to show of this message, and the fold removes it as well.
            return
        row = message_id if is_users else self.rows(message_id).current
        role = waiting.role if waiting is not None else self._role(message_id)
        yield {"type": "TEXT_MESSAGE_START", "messageId": row, "role": role}
        yield with_metadata({"type": "TEXT_MESSAGE_END", "messageId": row}, metadata)

    def _row(self, message_id: str) -> Generator[Event, None, str]:
        """Return the row that an open text goes on in; yield what leads there if calls or thoughts came since."""
        before = self._open[message_id]
        row = self.rows(message_id).text()
        if row != before:
            self._open[message_id] = row
            yield {"type": "TEXT_MESSAGE_END", "messageId": before}
            yield {"type": "TEXT_MESSAGE_START", "messageId": row, "role": self._role(message_id)}
        return row

    def _noted(self, message_id: str, chunk: Chunk) -> Iterator[Event]:
        """Yield an event that only merges metadata into an open text."""
        event = {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._open[message_id], "delta": ""}
        noted = with_metadata(event, chunk.get("metadata"))
        if "metadata" in noted:
            yield noted

    def _role(self, message_id: str) -> str:
        return "user" if message_id in self._users else "assistant"
