"""Records of the S2 resumable-stream log format, version 2.1, as values.

* data: no headers, body = one chunk as compact JSON
* command: one header with an empty name; value ``fence`` (body = token) or ``trim`` (body = 8-byte big-endian
  sequence number)
* heartbeat: no headers, empty body
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

Header = tuple[bytes, bytes]


class NewRecord(NamedTuple):
    """A record to append."""

    body: bytes
    headers: tuple[Header, ...] = ()


class Record(NamedTuple):
    """A record as read. The log sets ``timestamp``, in ms since 1970; it never decreases within a stream."""

    seq_num: int
    timestamp: int
    body: bytes
    headers: tuple[Header, ...] = ()


class Kind(Enum):
    """The kind of a record, which its headers and body alone decide."""

    DATA = "data"
    HEARTBEAT = "heartbeat"
    FENCE = "fence"
    TRIM = "trim"
    FOREIGN = "foreign"
    """A record with headers that are not a command's. Readers skip and count it."""


_FENCE = (b"", b"fence")
_TRIM = (b"", b"trim")

HEARTBEAT = NewRecord(b"")


def fence(token: str) -> NewRecord:
    """Return the command that makes ``token`` the stream's fencing token for the batches after it."""
    return NewRecord(token.encode(), (_FENCE,))


def trim(seq_num: int) -> NewRecord:
    """Return the command that makes every record before ``seq_num`` unreadable."""
    return NewRecord(seq_num.to_bytes(8, "big"), (_TRIM,))


def kind(record: NewRecord | Record) -> Kind:
    """Classify a record by its headers and body alone."""
    headers = record.headers
    if not headers:
        return Kind.DATA if record.body else Kind.HEARTBEAT
    if len(headers) == 1:
        if headers[0] == _FENCE:
            return Kind.FENCE
        if headers[0] == _TRIM:
            return Kind.TRIM
    return Kind.FOREIGN


def fence_token(record: NewRecord | Record) -> str | None:
    """Return the token that a fence record sets; None for any other record."""
    if len(record.headers) == 1 and record.headers[0] == _FENCE:
        return record.body.decode("utf-8", "replace")
    return None


def trim_point(record: NewRecord | Record) -> int | None:
    """Return the sequence number that a trim record names; None for any other record."""
    if len(record.headers) == 1 and record.headers[0] == _TRIM and len(record.body) == 8:
        return int.from_bytes(record.body, "big")
    return None


def metered_bytes(records: Iterable[NewRecord]) -> int:
    """Return a batch's size as S2 meters it: 8 bytes a record, 2 a header, plus names, values and bodies."""
    return sum(
        8 + len(record.body) + sum(2 + len(name) + len(value) for name, value in record.headers) for record in records
    )
