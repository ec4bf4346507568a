"""The limits of one append, checked by every engine before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import RecordTooLarge
from .records import NewRecord, fence_token, metered_bytes

MAX_BATCH_RECORDS: Final = 1000
MAX_BATCH_BYTES: Final = 1024 * 1024
"""Limit of one batch, and so of one record, in metered bytes (see ``records.metered_bytes``)."""

MAX_TOKEN_BYTES: Final = 36


def check_limits(records: Sequence[NewRecord]) -> None:
    """Raises RecordTooLarge, or ValueError for no records at all."""
    if not records:
        raise ValueError("an append needs at least one record")
    if len(records) > MAX_BATCH_RECORDS:
        raise RecordTooLarge(f"{len(records):,} records in one append; {MAX_BATCH_RECORDS:,} fit")
    size = metered_bytes(records)
    if size > MAX_BATCH_BYTES:
        raise RecordTooLarge(f"{size:,} bytes in one append; {MAX_BATCH_BYTES:,} fit")
    for record in records:
        if record.headers and fence_token(record) is not None and len(record.body) > MAX_TOKEN_BYTES:
            raise RecordTooLarge(f"a fencing token of {len(record.body)} bytes; {MAX_TOKEN_BYTES} fit")
