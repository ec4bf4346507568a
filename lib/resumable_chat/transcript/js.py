"""The corners of JavaScript that the browser's fold shows, and that Python does differently."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What ``String.prototype.trim`` removes."""


class NotJson(ValueError):
    """The text is not JSON as ``JSON.parse`` understands it."""


def parse_json(text: str) -> Any:
    """``JSON.parse``: no NaN, no Infinity. Raises NotJson."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def _refuse(constant: str) -> Any:
    raise NotJson(constant)


def stringify(value: Any) -> str:
    """``JSON.stringify`` without indentation."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def truthy(value: Any) -> bool:
    """Truth as JavaScript sees it: an empty list or object is true, NaN is not."""
    if isinstance(value, (dict, list)):
        return True
    return bool(value) and value == value


def blank(text: str) -> bool:
    """Whether the text is empty once trimmed."""
    return not text.strip(WHITESPACE)


def whole(text: str) -> str:
    """The text with surrogate pairs that were split over two strings joined into the characters they stand for."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def iso(milliseconds: float) -> str:
    """``new Date(ms).toISOString()``."""
    moment = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date(value: Any) -> str | None:
    """A date, given as milliseconds or ISO text, as ISO text; None if it is none."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, (int, float)):
            return iso(value)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return iso(round(moment.timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        pass
    return None
