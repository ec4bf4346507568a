"""The messages of a view as JSON, encoded in small steps and shared by all who need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ..protocol.json_text import dumps

_STEP_BYTES: Final = 512 * 1024


class MessagesJson:
    """The JSON array of all messages of a view, at one moment: one object, however many readers it waits for."""

    __slots__ = ("__weakref__", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)


class MessagesEncoder:
    """Encodes the messages once for each version of them."""

    def __init__(self, messages: Callable[[], Sequence[dict[str, Any]]]) -> None:
        self._messages = messages
        self._made: MessagesJson | None = None

    @property
    def made(self) -> MessagesJson | None:
        """The messages as they are now, if they were encoded already."""
        return self._made

    def changed(self) -> None:
        """Take note that the messages are not what they were."""
        self._made = None

    def encode(self) -> MessagesJson:
        """Return the messages as JSON."""
        for _ in self.steps():
            pass
        assert self._made is not None
        return self._made

    def encode_within(self, limit: int) -> MessagesJson | None:
        """Return the messages as JSON if that is not longer than ``limit`` bytes, None otherwise."""
        if self._made is None:
            for _ in self.steps(limit):
                pass
        return self._made if self._made is not None and len(self._made) <= limit else None

    def steps(self, limit: int | None = None) -> Iterator[None]:
        """Encode the messages, and yield after about each half MiB. Give up when ``limit`` bytes are passed."""
        if self._made is not None:
            return
        parts: list[bytes] = []
        size, pause_at = 2, _STEP_BYTES
        for message in self._messages():
            part = _encoded(message)
            if part is None:
                continue
            parts.append(part)
            size += len(part) + 1
            if limit is not None and size > limit + 1:
                return
            if size > pause_at:
                pause_at = size + _STEP_BYTES
                yield
        self._made = MessagesJson(b"[" + b",".join(parts) + b"]")


def _encoded(message: dict[str, Any]) -> bytes | None:
    """Return a message as JSON. One that cannot be JSON costs only itself."""
    try:
        return dumps(message)
    except (TypeError, ValueError, RecursionError):
        return None
