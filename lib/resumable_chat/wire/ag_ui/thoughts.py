"""The thoughts of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ...protocol.chunks import Chunk
from ...transcript.js import added_text
from .fields import Event

_SUBTYPES: Final = frozenset({"tool-call", "message"})


class Thoughts:
    """Wraps each stretch of thoughts into the events that open and close it; the log often has its content alone."""

    def __init__(self) -> None:
        self._open: str | None = None
        self._rows: dict[str, str] = {}
        """Rows by the ids that the chunks give their thoughts."""

    def content(self, chunk: Chunk, new_row: Callable[[], str]) -> Iterator[Event]:
        """Yield the events for more of a thought, in a ``new_row`` unless it goes on with the open one."""
        delta = added_text(chunk.get("delta"))
        if not delta:
            return
        given = chunk.get("messageId")
        given = given if isinstance(given, str) else ""
        row = self._open
        if row is None or self._rows.get(given) != row:
            yield from self.close()
            row = self._open = self._rows[given] = new_row()
            yield {"type": "REASONING_START", "messageId": row}
            yield {"type": "REASONING_MESSAGE_START", "messageId": row, "role": "reasoning"}
        yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": row, "delta": delta}

    def signature(self, chunk: Chunk) -> Iterator[Event]:
        """Yield the event for a provider's signature of a thought that was shown, or of a call."""
        entity, subtype, value = chunk.get("entityId"), chunk.get("subtype"), chunk.get("encryptedValue")
        if not isinstance(value, str) or not isinstance(subtype, str) or subtype not in _SUBTYPES:
            return
        if subtype == "message":
            entity = self._rows.get(entity) if isinstance(entity, str) else None
        if isinstance(entity, str):
            yield {"type": chunk["type"], "subtype": subtype, "entityId": entity, "encryptedValue": value}

    def close(self) -> Iterator[Event]:
        """Yield the events that close the open thought."""
        row, self._open = self._open, None
        if row is not None:
            yield {"type": "REASONING_MESSAGE_END", "messageId": row}
            yield {"type": "REASONING_END", "messageId": row}
