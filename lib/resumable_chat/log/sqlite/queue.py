"""Appends on their way from the event loop to the thread that writes."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...errors import LogError, LogUnavailable
from ...protocol.records import NewRecord
from ..port import Appended


@dataclass(slots=True)
class Lane:
    """Appends that land in order: once one has failed, all behind it fail in the same way."""

    failure: LogError | None = None


@dataclass(slots=True, eq=False)
class QueuedAppend:
    """One batch, and the future of the task that waits for it, in the event loop of that task.

    ``over`` is called there once the batch takes no more room, even if nobody waits for it any longer.
    """

    stream: str
    records: Sequence[NewRecord]
    fencing_token: str | None
    match_seq_num: int | None
    lane: Lane
    loop: asyncio.AbstractEventLoop
    over: Callable[[], None]
    future: asyncio.Future[Appended] = field(init=False)
    result: Appended | LogError | None = None
    _settled: bool = False

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()
        self.future.add_done_callback(_retrieve)

    def fail(self, error: LogError) -> None:
        """Let the append fail, and all behind it in its lane."""
        self.result = self.lane.failure = error

    def settle(self) -> None:
        """Hand over the result, the first time this is called. Belongs in the event loop."""
        if self._settled:
            return
        self._settled = True
        self.over()
        if self.future.done():
            return
        if isinstance(self.result, Appended):
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.result or LogError("The append was dropped."))


class AppendQueue:
    """Hands appends from any thread to one, in order."""

    def __init__(self) -> None:
        self._appends: deque[QueuedAppend] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, append: QueuedAppend) -> None:
        """Add an append. Raises LogUnavailable once the queue is closed."""
        with self._changed:
            if self._closed:
                raise LogUnavailable("The log was closed.")
            self._appends.append(append)
            self._changed.notify()

    def take(self, limit: int) -> list[QueuedAppend]:
        """Wait for appends and return the oldest, at most ``limit``; none once the queue is closed and empty."""
        with self._changed:
            while not self._appends and not self._closed:
                self._changed.wait()
            return [self._appends.popleft() for _ in range(min(limit, len(self._appends)))]

    def withdraw(self, append: QueuedAppend) -> bool:
        """Take back an append; return False if it has been taken out already."""
        with self._changed:
            try:
                self._appends.remove(append)
            except ValueError:
                return False
            return True

    def close(self) -> None:
        """Take no more appends."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _retrieve(future: asyncio.Future[Appended]) -> None:
    """Mark a failure as seen: whoever submits a batch may never ask for its result."""
    if not future.cancelled():
        future.exception()
