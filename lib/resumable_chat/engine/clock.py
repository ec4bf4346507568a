"""The wall clock."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return milliseconds since 1970, the unit of record timestamps."""
    return time.time_ns() // 1_000_000
