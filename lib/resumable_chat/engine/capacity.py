"""How many readers a process serves, and how many bytes of whole chats wait for them."""

from __future__ import annotations

import logging
from typing import Final
from weakref import WeakSet

from ..errors import LogUnavailable, Overloaded
from ..view.messages_json import MessagesJson

logger = logging.getLogger(__name__)

MAX_READERS: Final = 10_000
MAX_MESSAGES_BYTES: Final = 512 * 1024 * 1024
"""Bytes of encoded chats that may wait for readers, each counted once however many readers it waits for."""

_OTHER_FILES: Final = 32
"""File descriptors that are left to the log, the server and requests that do not stream."""


class Capacity:
    """Admits readers until the process is full. One line of its log says so, until there is room again."""

    def __init__(self, readers: int | None = None, messages_bytes: int = MAX_MESSAGES_BYTES) -> None:
        self._readers = readers if readers is not None else default_readers()
        self._messages_bytes = messages_bytes
        self._admitted = 0
        self._messages: WeakSet[MessagesJson] = WeakSet()
        self._full = False
        self.closed = False
        """Whether the process is about to end."""

    def close(self) -> None:
        """Admit nobody any more."""
        self.closed = True

    def enter(self) -> None:
        """Admit a reader. Raises Overloaded, or LogUnavailable if the process is about to end."""
        if self.closed:
            raise LogUnavailable("The server is shutting down. Try again in a moment.")
        if self._admitted >= self._readers:
            self._refuse(f"{self._readers} readers are served, as many as the limit of open files lets in")
        self._admitted += 1

    def leave(self) -> None:
        """Take note that a reader has left."""
        self._admitted -= 1
        self._full = False

    def check(self, size: int) -> None:
        """Check that a chat of about ``size`` bytes may be encoded. Raises Overloaded. Any chat may if none waits."""
        waiting = sum(map(len, self._messages))
        if waiting and waiting + size > self._messages_bytes:
            self._refuse(f"{waiting:,} bytes of chats wait for readers that do not read")

    def add(self, messages: MessagesJson) -> None:
        """Count a chat's messages for as long as anything holds them."""
        self._messages.add(messages)

    def _refuse(self, why: str) -> None:
        if not self._full:
            logger.warning("readers are refused until others leave: %s", why)
        self._full = True
        raise Overloaded


def default_readers() -> int:
    """Return how many readers the limit of open files allows, each with a connection of its own."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return MAX_READERS
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_READERS
    return max(1, min(MAX_READERS, limit - _OTHER_FILES))
