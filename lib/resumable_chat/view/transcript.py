"""The messages of a view: what is folded into them, how turns change them, and their JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ..protocol.chunks import Chunk
from ..protocol.turns import Turn, apply_turn
from ..transcript import StreamProcessor
from .events import Skipped
from .generation import ChunkRead
from .messages_json import MessagesEncoder

_STEP: Final = 1000
"""Chunks that are folded at once."""

_PLAIN_TURN: Final = frozenset({"message", "after", "seen", "runId", "pending"})


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

    def put(self, turn: Turn, value: Chunk, *, position: int, newest_data: int) -> bool:
        """Put a turn's message where it belongs. Return whether that only added it at the end.

        ``value`` is the turn as it is stored; ``position`` and ``newest_data`` are those of ``apply_turn``.
        """
        self.json.changed()
        messages = self._fold.messages
        known = self.find(turn.message["id"])
        last = messages[-1].get("id") if messages else None
        # Nearly every turn is of this kind, and must not cost a walk through the whole chat.
        if value.keys() <= _PLAIN_TURN and known is None and (turn.pending or turn.after == last):
            self._fold.append_message(turn.message)
            return True
        if known is not None and "metadata" in known:
            # The message is sent again. Clients keep the metadata of a message that comes without any, and with it the
            # outcome of the run before.
            turn.message.setdefault("metadata", {})
        changed = list(messages)
        cut = apply_turn(changed, turn, position=position, newest_data=newest_data)
        added = known is None and len(changed) == len(messages) + 1 and changed[-1] is turn.message
        self._fold.replace_messages(changed)
        return added and not cut

    def fold(self, chunks: Sequence[ChunkRead]) -> Iterator[list[Skipped]]:
        """Fold these chunks step by step; yield after each step what had to be skipped in it."""
        for start in range(0, len(chunks), _STEP):
            step = chunks[start : start + _STEP]
            refused = self._fold.process_many((read.chunk, read.seq_num, read.timestamp) for read in step)
            yield [Skipped(seq_num, reason) for seq_num, reason in refused]
        self.json.changed()
