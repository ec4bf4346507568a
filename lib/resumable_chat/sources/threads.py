"""Plain iterators, read in threads so that they cannot block the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar

from .errors import SourceError

T = TypeVar("T")

QUEUE_SIZE: Final = 64
"""Items that a thread may be ahead of its reader."""
MAX_THREADS: Final = 128
"""Threads of one process that may read at the same time, abandoned ones that are stuck in a call included."""

_running = threading.BoundedSemaphore(MAX_THREADS)


async def read_in_thread(
    make: Callable[[], Iterator[T]], *, interrupt: Callable[[], None] | None = None
) -> AsyncGenerator[T, None]:
    """Yield the items of ``make()``, which is called, read and closed in one thread of its own.

    Exceptions come out as they are. Closing this never waits for the thread: ``interrupt``, if given, is called in
    another thread to end a read that blocks; otherwise the thread ends when its current item arrives. Raises
    SourceError if MAX_THREADS threads are busy.
    """
    if not _running.acquire(blocking=False):
        raise SourceError(
            f"{MAX_THREADS} threads are busy with sources. Give their calls a timeout, or make the source asynchronous."
        )
    handover = _Handover[T](asyncio.get_running_loop())
    thread = threading.Thread(
        target=copy_context().run, args=(_read, make, handover), name="resumable-chat source", daemon=True
    )
    try:
        thread.start()
    except BaseException:
        _running.release()
        raise
    try:
        while True:
            item = await handover.take()
            if isinstance(item, _End):
                if item.error is None:
                    return
                if isinstance(item.error, (Exception, asyncio.CancelledError)):
                    raise item.error
                # SystemExit and its like would end the event loop, and every other run with it.
                raise SourceError(f"the source ended its thread with {item.error!r}") from item.error
            yield item
    finally:
        if not handover.ended:
            handover.close()
            if interrupt is not None:
                threading.Thread(target=interrupt, name="resumable-chat interrupt", daemon=True).start()


class _End:
    """The last thing that a thread hands over: its error, if it failed."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Handover(Generic[T]):
    """A bounded queue from a thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[T | _End] = deque()
        self._filled = asyncio.Event()
        self._room = threading.Semaphore(QUEUE_SIZE)
        self.closed = False
        self.ended = False

    def put(self, item: T | _End) -> bool:
        """Hand an item over from the thread, waiting for room; return False once nobody reads any more."""
        if not isinstance(item, _End):
            self._room.acquire()
        if self.closed:
            return False
        self._items.append(item)
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:  # the loop is closed
            return False
        return True

    async def take(self) -> T | _End:
        """Wait for the next item."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        if isinstance(item, _End):
            self.ended = True
        else:
            self._room.release()
        return item

    def close(self) -> None:
        """Tell the thread that nobody reads any more."""
        self.closed = True
        self._room.release()


def _read(make: Callable[[], Iterator[T]], handover: _Handover[T]) -> None:
    iterator: Iterator[T] | None = None
    error: BaseException | None = None
    try:
        iterator = make()
        for item in iterator:
            if not handover.put(item):
                break
    except BaseException as raised:  # noqa: BLE001 - it is raised again on the loop's side
        error = raised
    try:
        close: Any = getattr(iterator, "close", None)
        if close is not None:
            close()
    except BaseException as raised:  # noqa: BLE001 - likewise
        error = error or raised
    finally:
        _running.release()
        handover.put(_End(error))
