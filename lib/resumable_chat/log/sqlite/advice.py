"""What to do about a log file that cannot be used, said in the error."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from ...errors import LogUnavailable

_ADVICE: Final = {
    sqlite3.SQLITE_BUSY: "Another process holds it locked; close that process and try again.",
    sqlite3.SQLITE_LOCKED: "Another process holds it locked; close that process and try again.",
    sqlite3.SQLITE_FULL: "The disk, or the limit set for the file, is full; make room and try again.",
    sqlite3.SQLITE_READONLY: "It is read-only; make it and its folder writable.",
    sqlite3.SQLITE_CORRUPT: "It is damaged; move it away and restore a copy, or point CHAT_LOG at a new file.",
    sqlite3.SQLITE_NOTADB: "It is damaged; move it away and restore a copy, or point CHAT_LOG at a new file.",
    sqlite3.SQLITE_CANTOPEN: "Make its folder writable, or point CHAT_LOG at another file.",
}
_CHECK_DISK: Final = "Check the disk, then try again."

_NOTHING_WRITTEN: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}


def unavailable(path: Path, error: BaseException) -> LogUnavailable:
    """Return the port's error for one of SQLite or of the operating system, with advice."""
    if isinstance(error, LogUnavailable):
        return error
    if isinstance(error, OSError):
        advice = _ADVICE[sqlite3.SQLITE_CANTOPEN]
    else:
        advice = _ADVICE.get(_code(error), _CHECK_DISK)
    return LogUnavailable(f"The log file {path} cannot be used ({error}). {advice}")


def is_locked(error: BaseException | None) -> bool:
    """Whether another process holds a lock, so that trying again may soon work."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def left_nothing(error: sqlite3.Error) -> bool:
    """Whether a commit that failed like this has certainly written nothing."""
    return _code(error) in _NOTHING_WRITTEN


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code, the last byte of the extended one; 0 for other errors."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF
