"""The one thread of a process that writes to the log file, and commits all that waits in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from ...errors import AppendConditionFailed, AppendOutcomeUnknown, LogError, LogUnavailable
from ...protocol.records import NewRecord, metered_bytes
from ..port import Appended
from .advice import left_nothing, unavailable
from .file import LogFile, ThreadConnection
from .queue import AppendQueue, Lane, QueuedAppend
from .slots import Slots
from .table import Transaction
from .threads import ended, start_thread

MAX_GROUP: Final = 256
"""Appends in one commit."""
MAX_WAITING: Final = 1024
"""Appends that wait to be written before submitters have to wait themselves."""
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
"""Bytes that wait to be written, likewise."""


class Writer:
    """Takes batches from event loops, and answers each within ``patience`` seconds, whatever the disk does.

    ``committed`` is called in the writer's thread with the streams that got records and where each ends now.
    """

    def __init__(self, file: LogFile, committed: Callable[[Mapping[str, int]], None], *, patience: float) -> None:
        self._file = file
        self._committed = committed
        self._patience = patience
        self._queue = AppendQueue()
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, Slots] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    async def submit(
        self,
        lane: Lane,
        stream: str,
        records: Sequence[NewRecord],
        fencing_token: str | None,
        match_seq_num: int | None,
    ) -> asyncio.Future[Appended]:
        """Queue a batch as soon as there is room, and return the future of its result. Raises LogUnavailable."""
        loop = asyncio.get_running_loop()
        slots = self._slots.get(loop)
        if slots is None:
            slots = self._slots[loop] = Slots(MAX_WAITING, MAX_WAITING_BYTES)
        size = metered_bytes(records)
        due = loop.time() + self._patience
        if not slots.acquire_now(size):
            try:
                async with asyncio.timeout_at(due):
                    await slots.acquire(size)
            except TimeoutError as error:
                lane.failure = self._too_slow("It has not begun to write the append.", LogUnavailable)
                raise lane.failure from error
        deadline: asyncio.TimerHandle | None = None

        def over() -> None:
            slots.release(size)
            if deadline is not None:
                deadline.cancel()

        append = QueuedAppend(stream, records, fencing_token, match_seq_num, lane, loop, over)
        try:
            self._hand_over(append)
        except LogUnavailable as error:
            append.fail(error)
            append.settle()
            raise
        deadline = loop.call_at(due, self._give_up, append)
        return append.future

    async def close(self, seconds: float) -> bool:
        """Write what waits, and end; return False if that takes longer than so many seconds."""
        self._queue.close()
        with self._lock:
            thread = self._thread
        return thread is None or await ended([thread], seconds)

    def _hand_over(self, append: QueuedAppend) -> None:
        self._queue.put(append)
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            try:
                self._thread = start_thread(self._run, "sqlite-write")
            except LogUnavailable:
                self._queue.withdraw(append)
                raise

    def _give_up(self, append: QueuedAppend) -> None:
        if self._queue.withdraw(append):
            append.fail(self._too_slow("Nothing of the append was written.", LogUnavailable))
        else:
            append.fail(self._too_slow("The append may have been written.", AppendOutcomeUnknown))
        append.settle()

    def _too_slow(self, outcome: str, error: type[LogUnavailable]) -> LogUnavailable:
        return error(
            f"The log file {self._file.path} took over {self._patience:g} s. {outcome} "
            "Check the disk, and that no other process holds the file locked."
        )

    # --- In the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        own = ThreadConnection(self._file)
        while group := self._queue.take(MAX_GROUP):
            try:
                with own.use() as connection:
                    self._commit(connection, group)
            except Exception as error:  # noqa: BLE001 - every append in the group must get an answer
                failure = error if isinstance(error, LogError) else unavailable(self._file.path, error)
                for append in group:
                    append.fail(failure)
            self._answer(group)
        own.close()

    def _commit(self, connection: sqlite3.Connection, group: list[QueuedAppend]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(connection)
            for append in group:
                if append.lane.failure is not None:
                    append.result = append.lane.failure
                    continue
                try:
                    append.result = transaction.append(
                        append.stream, append.records, append.fencing_token, append.match_seq_num
                    )
                except AppendConditionFailed as refused:
                    append.fail(refused)
            transaction.save()
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if left_nothing(error):
                _roll_back(connection)
                raise
            raise AppendOutcomeUnknown(
                f"The log file {self._file.path} failed while it was written to ({error}). Check the disk."
            ) from error

    def _answer(self, group: list[QueuedAppend]) -> None:
        waiting: dict[asyncio.AbstractEventLoop, list[QueuedAppend]] = {}
        ends: dict[str, int] = {}
        for append in group:
            waiting.setdefault(append.loop, []).append(append)
            if isinstance(append.result, Appended):
                ends[append.stream] = append.result.end
        for loop, appends in waiting.items():
            with suppress(RuntimeError):  # The loop was closed: nobody waits for these any more.
                loop.call_soon_threadsafe(_settle, appends)
        if ends:
            self._committed(ends)


def _settle(appends: list[QueuedAppend]) -> None:
    for append in appends:
        append.settle()


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        connection.execute("ROLLBACK")
