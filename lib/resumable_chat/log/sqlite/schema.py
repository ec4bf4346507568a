"""The tables in a log file, and what tells a log file from the database of another program."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from ...errors import LogUnavailable

APPLICATION_ID: Final = 0x72636874  # "rcht"
SCHEMA_VERSION: Final = 1
_TABLES: Final = (
    """
    CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        next_seq INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        token TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE records (
        stream INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        body BLOB NOT NULL,
        headers BLOB,
        PRIMARY KEY (stream, seq)
    ) WITHOUT ROWID
    """,
)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the file a durable log if it is empty. Raises LogUnavailable if it is something else, or not durable."""
    # Looking needs no lock, and only a new file needs more than a look.
    connection.execute("BEGIN")
    try:
        known = _is_log(connection, path)
    finally:
        connection.execute("COMMIT")
    # A log restored from a copy may have lost the mode.
    if not known or _pragma(connection, "journal_mode") != "wal":
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if not known:
        _create(connection, path)
    connection.execute("PRAGMA synchronous = FULL")
    durable = _pragma(connection, "journal_mode"), _pragma(connection, "synchronous")
    if durable != ("wal", 2):
        raise LogUnavailable(
            f"The log file {path} cannot be made durable (journal_mode {durable[0]}, synchronous {durable[1]}). "
            "Point CHAT_LOG at a file on a local disk."
        )


def _create(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_log(connection, path):
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file holds our tables; False if it is empty. Raises LogUnavailable if it holds others."""
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    if application == APPLICATION_ID:
        if version != SCHEMA_VERSION:
            raise LogUnavailable(
                f"The log file {path} has schema version {version}; this library reads and writes version "
                f"{SCHEMA_VERSION}. Use the version that wrote it, or point CHAT_LOG at a new file."
            )
        return True
    if application or version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise LogUnavailable(f"{path} is the database of another program. Point CHAT_LOG at a file of its own.")
    return False


def _pragma(connection: sqlite3.Connection, name: str) -> int | str:
    value: int | str = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
