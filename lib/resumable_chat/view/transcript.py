"""The messages of a view: what is folded into them, how turns change them, and their JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ..protocol.turns import Turn, edit_of
from ..transcript import StreamProcessor
from .events import Skipped
from .generation import ChunkRead
from .messages_json import MessagesEncoder

_STEP: Final = 1000
"""Chunks that are folded at once."""


class Transcript:
    """A session's finished messages. A chunk that cannot be folded is reported as skipped."""

    def __init__(self) -> None:
        self._fold = StreamProcessor()
        self.json = MessagesEncoder(lambda: self.messages)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as of now. They may change with the next call."""
        return self._fold.messages

    def find(self, message_id: str) -> dict[str, Any] | None:
        """Return the first message with this id."""
        return self._fold.find_message(message_id)

    def begin(self) -> None:
        """Forget all that streamed, as a browser does when it sends."""
        self._fold.reset()

    def put(self, turn: Turn, *, position: int, newest_data: int) -> bool:
        """Put a turn's message where it belongs. Return whether that only added it at the end, or did nothing.

        ``position`` and ``newest_data`` are those of ``edit_of``.
        """
        self.json.changed()
        known = self.find(turn.message["id"])
        if known is not None and "metadata" in known:
            # The message is sent again. Clients keep the metadata of a message that comes without any, and with it the
            # outcome of the run before.
            turn.message.setdefault("metadata", {})
        messages = self._fold.messages
        edit = edit_of(messages, turn, position=position, newest_data=newest_data, is_known=self._is_known)
        old, new = messages[edit.keep :], edit.tail
        if len(new) >= len(old) and all(before is now for before, now in zip(old, new, strict=False)):
            # Nearly every turn is of this kind, and must not cost a walk through the whole chat.
            added = new[len(old) :]
            for message in added:
                self._fold.append_message(message)
            return all(message is turn.message for message in added)
        self._fold.replace_messages([*messages[: edit.keep], *new])
        return False

    def _is_known(self, message_id: str) -> bool:
        return self.find(message_id) is not None

    def fold(self, chunks: Sequence[ChunkRead]) -> Iterator[list[Skipped]]:
        """Fold these chunks step by step; yield after each step what had to be skipped in it."""
        for start in range(0, len(chunks), _STEP):
            step = chunks[start : start + _STEP]
            refused = self._fold.process_many((read.chunk, read.seq_num, read.timestamp) for read in step)
            yield [Skipped(seq_num, reason) for seq_num, reason in refused]
        self.json.changed()
