"""The file of a log: connections to it, and the checks that it is still the same file."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ...errors import LogUnavailable
from .advice import is_locked, unavailable
from .schema import prepare

_RETRY_SECONDS: Final = 0.01

Identity = tuple[int, int] | None
"""Device and inode of a file; None if there is none."""


class FileMoved(LogUnavailable):
    """The log file, or one of the two that SQLite keeps beside it, is not where it was. It may be put back."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(
            f"The log file {path} was deleted, moved or replaced while it was in use. Put it back, "
            "or restart the server to use the file that is there now."
        )


class OpenFile:
    """One connection to the log file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.connection = connection
        # SQLite keeps all three open from the first read on, whatever becomes of their names.
        self._files = [f"{path}{suffix}" for suffix in ("", "-wal", "-shm")]
        self._identities = [_identity(file) for file in self._files]

    @property
    def identity(self) -> Identity:
        return self._identities[0]

    def check(self) -> None:
        """Raise FileMoved if what is written here would not be found under the file's name any more."""
        for file, known in zip(self._files, self._identities, strict=True):
            if _identity(file) != known:
                raise FileMoved(file)


class LogFile:
    """The place of a log: opens connections to the file that was there first, and to no other.

    ``busy_timeout`` is how long, in seconds, a lock held by another process is waited for. ``max_bytes`` bounds the
    file (None: only the disk does).
    """

    def __init__(self, path: Path, *, busy_timeout: float, max_bytes: int | None) -> None:
        self.path = path
        self.busy_timeout = busy_timeout
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._identity: Identity = None
        self._opened: list[OpenFile] = []

    def open(self) -> OpenFile:
        """Connect, and make the file a log if it is new. Raises LogUnavailable."""
        give_up = time.monotonic() + self.busy_timeout
        while True:
            try:
                return self._connect()
            except (sqlite3.Error, OSError) as error:
                # Two that make a new file at once are refused without a wait, whatever the time-out.
                if not is_locked(error) or time.monotonic() > give_up:
                    raise unavailable(self.path, error) from error
                time.sleep(_RETRY_SECONDS)

    def _connect(self) -> OpenFile:
        self._check_place()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=self.busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            prepare(connection, self.path)
            if self._max_bytes is not None:
                page = connection.execute("PRAGMA page_size").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count = {max(1, self._max_bytes // page)}").fetchone()
            opened = OpenFile(self.path, connection)
            with self._lock:
                if opened.identity is None or opened.identity != (self._identity or opened.identity):
                    raise FileMoved(self.path)
                self._identity = opened.identity
                self._opened.append(opened)
        except BaseException:
            connection.close()
            raise
        return opened

    def close(self, opened: OpenFile) -> None:
        """Close a connection."""
        with self._lock:
            self._opened.remove(opened)
        with suppress(sqlite3.Error):
            opened.connection.close()

    def _check_place(self) -> None:
        """Refuse what is no file, and a place that the log's file has left: connecting would make another one."""
        with self._lock:
            known, opened = self._identity, list(self._opened)
        if known is not None and _identity(self.path) != known:
            raise FileMoved(self.path)
        for other in opened:
            other.check()
        with suppress(FileNotFoundError):
            mode = self.path.stat().st_mode
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
                raise LogUnavailable(f"{self.path} is {what}. Point CHAT_LOG at a file of its own.")


class ThreadConnection:
    """The connection of one thread: made when it is first needed, and made again after a failure."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._opened: OpenFile | None = None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection. Raises LogUnavailable, and what the block raises."""
        try:
            if self._opened is None:
                self._opened = self._file.open()
            self._opened.check()
            yield self._opened.connection
        except FileMoved:
            raise  # The connection still holds what was written, and works again once the file is put back.
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self._file.close(opened)


def _identity(path: str | Path) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before every read and write, and faster than Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino
