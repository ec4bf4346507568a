"""Reads and writes of streams in the tables of a log file: SQL and nothing else."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ...errors import FencingTokenMismatch, SeqNumMismatch
from ...protocol.records import Header, NewRecord, Record, fence_token, trim_point
from ..port import Appended, Tail

_PAGE_RECORDS: Final = 4096
_PAGE_BYTES: Final = 1024 * 1024

_UNREADABLE: Final[tuple[Header, ...]] = ((b"", b"unreadable"),)
"""Headers in place of damaged ones: readers skip and count such a record."""


@dataclass(slots=True)
class _Stream:
    id: int
    next_seq: int
    timestamp: int
    token: str


class Transaction:
    """The appends of one commit. The caller begins it, saves it, and commits or rolls it back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._streams: dict[str, _Stream] = {}

    def append(
        self, stream: str, records: Sequence[NewRecord], fencing_token: str | None, match_seq_num: int | None
    ) -> Appended:
        """Insert a batch. Raises FencingTokenMismatch and SeqNumMismatch, and has then changed nothing."""
        state = self._streams.get(stream) or self._load(stream)
        if fencing_token is not None and fencing_token != state.token:
            raise FencingTokenMismatch(state.token)
        if match_seq_num is not None and match_seq_num != state.next_seq:
            raise SeqNumMismatch(state.next_seq)
        if not state.id:
            state.id = self._connection.execute(
                "INSERT INTO streams (name, next_seq, timestamp, token) VALUES (?, 0, 0, '') RETURNING id", (stream,)
            ).fetchone()[0]
        self._streams[stream] = state
        return self._insert(state, records)

    def save(self) -> None:
        """Write where each stream ends now."""
        self._connection.executemany(
            "UPDATE streams SET next_seq = ?, timestamp = ?, token = ? WHERE id = ?",
            [(state.next_seq, state.timestamp, state.token, state.id) for state in self._streams.values()],
        )

    def _load(self, stream: str) -> _Stream:
        row = self._connection.execute(
            "SELECT id, next_seq, timestamp, token FROM streams WHERE name = ?", (stream,)
        ).fetchone()
        return _Stream(*row) if row else _Stream(0, 0, 0, "")

    def _insert(self, state: _Stream, records: Sequence[NewRecord]) -> Appended:
        start = state.next_seq
        state.timestamp = max(state.timestamp, time.time_ns() // 1_000_000)
        self._connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
            [
                (state.id, seq, state.timestamp, record.body, _pack(record.headers))
                for seq, record in enumerate(records, start)
            ],
        )
        state.next_seq = start + len(records)
        for seq, record in enumerate(records, start):
            if not record.headers:
                continue
            token, point = fence_token(record), trim_point(record)
            if token is not None:
                state.token = token
            elif point is not None:
                # A trim reaches at most its own record.
                self._connection.execute(
                    "DELETE FROM records WHERE stream = ? AND seq < ?", (state.id, min(point, seq + 1))
                )
        return Appended(start, state.next_seq, state.timestamp)


def read_page(connection: sqlite3.Connection, stream: str, start: int, end: int) -> list[Record]:
    """Return records from ``start`` to before ``end``, as many as one page takes, and at least one if there is one."""
    rows = connection.execute(
        "SELECT seq, timestamp, body, headers FROM records"
        " WHERE stream = (SELECT id FROM streams WHERE name = ?) AND seq >= ? AND seq < ?"
        " ORDER BY seq LIMIT ?",
        (stream, start, end, _PAGE_RECORDS),
    )
    page: list[Record] = []
    size = 0
    try:
        for seq, timestamp, body, headers in rows:
            if type(body) is not bytes:
                body = _bytes(body)
            page.append(Record(seq, timestamp, body, _unpack(headers) if headers else ()))
            size += len(body)
            if size >= _PAGE_BYTES:
                break
    finally:
        rows.close()
    return page


def read_tail(connection: sqlite3.Connection, stream: str) -> Tail:
    """Return the end of a stream."""
    row = connection.execute("SELECT next_seq, timestamp FROM streams WHERE name = ?", (stream,)).fetchone()
    return Tail(*row) if row else Tail(0, 0)


def ends_past(connection: sqlite3.Connection, positions: Mapping[str, int]) -> dict[str, int]:
    """Return where each of these streams ends, if that is past the sequence number named for it."""
    rows = connection.execute(
        "SELECT name, next_seq FROM json_each(?) JOIN streams ON name = key WHERE next_seq > value",
        (json.dumps(positions),),
    )
    return dict(rows.fetchall())


def _pack(headers: tuple[Header, ...]) -> bytes | None:
    if not headers:
        return None
    return json.dumps([[name.hex(), value.hex()] for name, value in headers]).encode()


@lru_cache(maxsize=256)
def _unpack(packed: bytes | str | float) -> tuple[Header, ...]:
    """Read the headers of a stored record, which may be damaged."""
    try:
        return tuple((bytes.fromhex(name), bytes.fromhex(value)) for name, value in json.loads(packed))  # type: ignore[arg-type]
    except (ValueError, TypeError, RecursionError):
        return _UNREADABLE


def _bytes(body: Any) -> bytes:
    """Return a body as bytes that a damaged or edited file holds as text or as a number."""
    return str(body).encode()
