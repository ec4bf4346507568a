"""The checks of every call to a log, made before anything is sent or written, and the same on every engine.

The rules are those of S2 (https://s2.dev/docs), so that what one engine takes the other takes as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import LogRequestRefused
from ..protocol.limits import MAX_TOKEN_BYTES, check_limits
from ..protocol.records import Kind, NewRecord, kind

MAX_STREAM_BYTES: Final = 512
MAX_SEQ_NUM: Final = (1 << 63) - 1
"""The largest sequence number that every engine can hold."""


def check_append(
    stream: str, records: Sequence[NewRecord], fencing_token: str | None, match_seq_num: int | None
) -> None:
    """Check an append. Raises RecordTooLarge for the limits of ``protocol.limits``, LogRequestRefused otherwise."""
    if not records:
        raise LogRequestRefused("An append needs at least one record.")
    check_limits(records)
    check_stream(stream)
    for record in records:
        if record.headers:
            _check_headers(record)
    if fencing_token is not None and len(_utf8(fencing_token, "The fencing token")) > MAX_TOKEN_BYTES:
        raise LogRequestRefused(f"The fencing token {fencing_token!r} is over {MAX_TOKEN_BYTES} bytes long.")
    if match_seq_num is not None and not 0 <= match_seq_num <= MAX_SEQ_NUM:
        raise LogRequestRefused(f"{match_seq_num} is not a sequence number.")


def check_stream(stream: str) -> None:
    """Check the name of a stream. Raises LogRequestRefused."""
    size = len(_utf8(stream, "The name of the stream"))
    if not 0 < size <= MAX_STREAM_BYTES:
        raise LogRequestRefused(f"The name of the stream is {size} bytes long; use 1 to {MAX_STREAM_BYTES} bytes.")
    if "\0" in stream or stream in (".", ".."):
        raise LogRequestRefused(f"A stream cannot be named {stream!r}; use another name.")


def checked_range(start: int, end: int | None) -> tuple[int, int]:
    """Return the range of a read, both ends within what engines can number. Raises LogRequestRefused if negative."""
    if start < 0 or (end is not None and end < 0):
        raise LogRequestRefused(f"A read from {start} to {end} begins or ends before the first record, which is 0.")
    return min(start, MAX_SEQ_NUM), MAX_SEQ_NUM if end is None else min(end, MAX_SEQ_NUM)


def _check_headers(record: NewRecord) -> None:
    """Check that a header without a name makes a whole command: a fence in UTF-8, or a trim of 8 bytes."""
    if all(name for name, _ in record.headers):
        return
    match kind(record):
        case Kind.FENCE:
            try:
                record.body.decode()
            except UnicodeDecodeError as error:
                raise LogRequestRefused("The token of a fence record is not UTF-8.") from error
        case Kind.TRIM:
            if len(record.body) != 8:
                raise LogRequestRefused(f"The body of a trim record has {len(record.body)} bytes; it needs 8.")
        case _:
            raise LogRequestRefused("A header without a name stands alone, and its value is `fence` or `trim`.")


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LogRequestRefused(f"{what}, {text!r}, cannot be written in UTF-8: it has half a character.") from error
