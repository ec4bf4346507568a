"""The message that the AI SDK's client builds: when it begins, its steps, and the part that is open."""

from __future__ import annotations

from typing import Any

from .frames import UIChunk
from .names import message_mark, provider_metadata


class OpenMessage:
    """Collects UI chunks in an order that the client takes: each delta between its start and its end.

    The message is announced once there is something to see. An answer of nothing but blanks is no message for the
    log's other readers either. ``continues`` is the id of the message that the client adds the answer to.
    """

    def __init__(self, continues: str | None) -> None:
        self._continues = continues
        self._out: list[UIChunk] = []
        self._held: list[UIChunk] | None = None
        self._ids: set[str] = set()
        self._next: str | None = None
        self._step_is_over = False
        self._open: tuple[str, str] | None = None
        self._parts = 0
        self._announced = False
        self._has_blanks = False

    def take(self) -> list[UIChunk]:
        """Return what was collected since the last time."""
        out, self._out = self._out, []
        return out

    @property
    def exists(self) -> bool:
        """Whether the client has a message for this answer."""
        return self._announced or self._continues is not None

    @property
    def announced(self) -> bool:
        """Whether its ``start`` was collected."""
        return self._announced

    @property
    def has_begun(self) -> bool:
        """Whether the log has an assistant message for the answer."""
        return bool(self._ids)

    def holds(self, message_id: Any) -> bool:
        """Return whether a message of the log is part of this one."""
        return isinstance(message_id, str) and message_id in self._ids

    def begin(self, message_id: str) -> None:
        """Begin a message of the log: the first is the client's message, a later one a step of it."""
        if message_id in self._ids:
            return
        self._ids.add(message_id)
        if len(self._ids) > 1:
            self.close()
            self._next = message_id
            return
        shown = self._continues or message_id
        self._held = [{"type": "start", "messageId": shown}, {"type": "start-step"}]
        if shown != message_id:
            self._held.append(message_mark(message_id))

    def announce(self) -> None:
        """Let go of what was held back."""
        if self._held is not None:
            self._out += self._held
            self._held = None
            self._announced = True

    def settle(self, *, failed: bool) -> None:
        """Decide whether what was held back is a message: an empty answer is one, a blank one only if it failed."""
        self.close()
        if self._held is not None and (failed or not self._has_blanks):
            self.announce()

    def tell(self, chunk: UIChunk) -> None:
        """Add a chunk that is no part of the message."""
        self._out.append(chunk)

    def show(self, chunk: UIChunk) -> None:
        """Add a chunk that shows something."""
        self.announce()
        self._out.append(chunk)

    def add(self, chunk: UIChunk) -> None:
        """Add a chunk that shows nothing by itself."""
        (self._out if self._held is None else self._held).append(chunk)

    def begin_part(self, *, calls_are_open: bool) -> None:
        """Close the part that is open, and begin a step if one is due.

        The client looks for an open call in the newest step alone, so that the step waits for it.
        """
        self.close()
        if calls_are_open or not (self._step_is_over or self._next is not None):
            return
        self.add({"type": "finish-step"})
        self.add({"type": "start-step"})
        if self._next is not None:
            self.add(message_mark(self._next))
        self._next, self._step_is_over = None, False

    def end_step(self) -> None:
        """Have the next part begin a step."""
        self._step_is_over = True

    def delta(self, kind: str, text: str, *, is_blank: bool, calls_are_open: bool) -> None:
        """Add to the ``text`` or ``reasoning`` that is open, or to a new one."""
        if self._open is None or self._open[0] != kind:
            self.begin_part(calls_are_open=calls_are_open)
            self._parts += 1
            self._open = (kind, str(self._parts))
            self.add({"type": f"{kind}-start", "id": self._open[1]})
        self._has_blanks = True
        if not is_blank:
            self.announce()
        self.add({"type": f"{kind}-delta", "id": self._open[1], "delta": text})

    def is_open(self, kind: str) -> bool:
        """Return whether a part of this kind is open."""
        return self._open is not None and self._open[0] == kind

    def close(self, *, signature: str | None = None) -> None:
        """Close the part that is open. ``signature`` is the provider's, for reasoning."""
        if self._open is None:
            return
        kind, part_id = self._open
        self._open = None
        closed: UIChunk = {"type": f"{kind}-end", "id": part_id}
        metadata = provider_metadata({"signature": signature})
        self.add(closed if metadata is None else {**closed, "providerMetadata": metadata})
