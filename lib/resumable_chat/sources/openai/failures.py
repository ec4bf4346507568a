"""Failures that model servers report inside a stream, or a body, with the status 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .json_values import compact

_MAX_TEXT: Final = 2000
_TEXT_KEYS: Final = (
    "message",
    "msg",
    "error_msg",
    "error_message",
    "errorMessage",
    "status_msg",
    "detail",
    "error_description",
    "title",
    "reason",
    "text",
)
_CODE_KEYS: Final = ("code", "error_code", "errorCode", "status_code", "statusCode")
_GOOD_CODES: Final = frozenset({"", "0", "200", "ok", "success"})
_REPORTING: Final = frozenset({"error", "errors", "base_resp"})
"""Keys that report a failure also beside choices."""
_FAILED_WORDS: Final = frozenset({"error", "failed", "failure", "fail", "exception"})


def failure_of(payload: Any) -> str | None:
    """Return the text of the failure that a payload reports, or None if it reports none.

    Known shapes: ``error`` or ``errors`` (text, an object or a list) also beside choices; an object that has no
    ``choices`` and calls itself an error (``object``, ``type``, ``status``, ``success``), or holds a code or detail
    with a text; MiniMax's ``base_resp``; any of these inside a list, as Google wraps them.
    """
    if type(payload) is dict and payload.get("choices") and _REPORTING.isdisjoint(payload):
        return None
    if isinstance(payload, list):
        found = (failure_of(item) for item in payload)
        return next((text for text in found if text is not None), None)
    if not isinstance(payload, Mapping):
        return None
    for key in ("error", "errors"):
        if payload.get(key):
            return text_of(payload[key])
    response = payload.get("base_resp")
    if isinstance(response, Mapping) and response.get("status_code"):
        return text_of(response)
    if payload.get("choices"):
        return None
    named = any(_is_failed_word(payload.get(key)) for key in ("object", "type", "status"))
    coded = any(_is_failed_code(payload.get(key)) for key in _CODE_KEYS)
    texts = any(payload.get(key) for key in _TEXT_KEYS[:-2])
    if named or payload.get("success") is False or (coded and texts) or payload.get("detail"):
        return text_of(payload)
    if set(payload) <= {"message", "msg"} and isinstance(payload.get("message", payload.get("msg")), str):
        return text_of(payload)
    return None


def text_of(failure: Any) -> str:
    """Return the readable text of a failure in any shape, at most 2,000 characters."""
    return _text(failure, depth=4)[:_MAX_TEXT]


def _text(failure: Any, depth: int) -> str:
    if isinstance(failure, str):
        return failure
    if depth and isinstance(failure, Mapping):
        for key in ("error", "errors", *_TEXT_KEYS):
            if failure.get(key):
                return _with_upstream(_text(failure[key], depth - 1), failure)
    if depth and isinstance(failure, list) and failure:
        return "; ".join(_text(item, depth - 1) for item in failure[:10])
    return compact(failure)


def _with_upstream(text: str, failure: Mapping[str, Any]) -> str:
    """Add what a proxy such as OpenRouter quotes of the server behind it."""
    metadata = failure.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f"{text} ({raw})" if isinstance(raw, str) and raw and raw not in text else text


def _is_failed_word(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in _FAILED_WORDS


def _is_failed_code(value: Any) -> bool:
    return isinstance(value, (str, int)) and str(value).lower() not in _GOOD_CODES
