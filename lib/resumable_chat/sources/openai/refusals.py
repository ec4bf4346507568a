"""Answers to a request that are not an answer of the model: error statuses, redirects, and when to try again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..errors import SourceError
from .failures import failure_of, text_of
from .json_values import parse

_RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""Statuses that may be better the next time."""
_MAX_WAIT: Final = 20.0
"""Seconds; a longer Retry-After is an answer, not a wait."""
_MAX_TEXT: Final = 2000


class Unreachable(SourceError):
    """The connection failed. Before the answer began, another attempt may help."""


def refusal_text(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return one line that says what the server answered, for the log."""
    if 300 <= status < 400:
        return f"the model's server redirects to {headers.get('location', 'nowhere')}: is the base URL right?"
    try:
        payload = parse(body)
        text = failure_of(payload) or text_of(payload)
    except ValueError:
        text = body.decode("utf-8", "replace").strip()
    return f"the model's server answered {status}: {text[:_MAX_TEXT]}"


def refuses_stream_options(status: int, body: bytes) -> bool:
    """Tell whether a server may have refused the request for its ``stream_options``: it names them, or nothing."""
    return status in (400, 422) and (
        not body.strip() or b"stream_options" in body or b"include_usage" in body or b"streamOptions" in body
    )


def wait_before_retry(status: int, headers: Mapping[str, str], *, backoff: float) -> float | None:
    """Return the seconds until another attempt: what the server asks for, else ``backoff``; None for no attempt."""
    asked = _retry_after(headers)
    wait = backoff if asked is None else asked
    return wait if status in _RETRIED and wait <= _MAX_WAIT else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or a date; None without a usable one."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if seconds == seconds else None  # NaN is not a time
    except ValueError:
        pass
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
