"""The corners of JavaScript that the browser's fold shows, and that Python does differently."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from ..protocol.json_text import number

WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters that ``String.prototype.trim`` removes."""

_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_MAX_MOMENT: Final = 253_402_300_800_000
"""The year 10000, in ms since 1970. Python's dates end there."""


def truthy(value: Any) -> bool:
    """Return whether a value is true in JavaScript: an empty list or object is, NaN is not."""
    if isinstance(value, (dict, list)):
        return True
    return bool(value) and value == value


def string(value: Any) -> str:
    """Return ``String(value)``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return ",".join("" if item is None else string(item) for item in value)
    return "null" if value is None else "[object Object]"


def added_text(value: Any) -> str:
    """Return what adding ``value || ""`` to a string adds."""
    return string(value) if truthy(value) else ""


def blank(text: str) -> bool:
    """Return whether the text is empty once trimmed."""
    return not text.strip(WHITESPACE)


def iso(milliseconds: float) -> str:
    """Return ``new Date(ms).toISOString()`` for a moment that ``is_moment`` takes."""
    moment = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_moment(value: Any) -> bool:
    """Return whether a value is a time in ms since 1970 that a message can be dated with."""
    return type(value) in (int, float) and 0 <= value < _MAX_MOMENT


def date(value: Any) -> str | None:
    """Return an ISO date as ISO text in UTC with ms; None if it is anything else. Without a zone, it counts as UTC."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value if len(value) > 7 else f"{value}-01-01"[:10])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return iso(round(moment.timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        return None
