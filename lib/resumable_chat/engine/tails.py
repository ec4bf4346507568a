"""The tails of one process."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from ..log.port import Log
from .capacity import Capacity
from .tail import SHUTTING_DOWN, Tail, TailOptions

KEEP: Final = 256
KEEP_BYTES: Final = 64 * 1024 * 1024


class Tails:
    """The tails with readers, and the most recent of the others, kept warm.

    ``keep`` bounds how many there are, ``keep_bytes`` the record bodies they were read from, while some are idle.
    """

    def __init__(
        self,
        log: Log,
        options: TailOptions,
        *,
        capacity: Capacity | None = None,
        keep: int = KEEP,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self._log = log
        self._options = options
        self._capacity = capacity if capacity is not None else Capacity()
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._tails: OrderedDict[str, Tail] = OrderedDict()

    def __contains__(self, stream: object) -> bool:
        return stream in self._tails

    def get(self, stream: str) -> Tail:
        """Return the stream's tail, and let go of idle ones over the bounds, the least recent first."""
        tail = self._tails.get(stream)
        if tail is None:
            tail = self._tails[stream] = Tail(self._log, stream, self._options, self._capacity)
        self._tails.move_to_end(stream)
        kept, size = len(self._tails), sum(known.view.size for known in self._tails.values())
        for name, known in list(self._tails.items()):
            if kept <= self._keep and size <= self._keep_bytes:
                break
            if known.idle and known is not tail:
                del self._tails[name]
                kept, size = kept - 1, size - known.view.size
        return tail

    def cut(self) -> None:
        """Cut all readers off, and admit no more of them: they have to come back to another process."""
        self._capacity.close()
        for tail in self._tails.values():
            tail.cut(SHUTTING_DOWN)

    async def close(self) -> None:
        """Cut all readers off, and stop following."""
        self._capacity.close()
        for tail in list(self._tails.values()):
            await tail.close()
        self._tails.clear()
