"""What a source may yield, as chunks: dicts, AG-UI event objects, and strings."""

from __future__ import annotations

import logging
from enum import Enum
from typing import Any, Final

from .errors import SourceError
from .surrogates import SurrogateJoiner

logger = logging.getLogger(__name__)

EVENT_TYPES: Final = frozenset(
    [
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "TEXT_MESSAGE_CHUNK",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_CHUNK",
        "TOOL_CALL_RESULT",
        "THINKING_START",
        "THINKING_END",
        "THINKING_TEXT_MESSAGE_START",
        "THINKING_TEXT_MESSAGE_CONTENT",
        "THINKING_TEXT_MESSAGE_END",
        "REASONING_START",
        "REASONING_END",
        "REASONING_ENCRYPTED_VALUE",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        "REASONING_MESSAGE_CHUNK",
        "STATE_SNAPSHOT",
        "STATE_DELTA",
        "MESSAGES_SNAPSHOT",
        "ACTIVITY_SNAPSHOT",
        "ACTIVITY_DELTA",
        "RUN_STARTED",
        "RUN_FINISHED",
        "RUN_ERROR",
        "STEP_STARTED",
        "STEP_FINISHED",
        "RAW",
        "CUSTOM",
        "SUBAGENT_STARTED",
        "SUBAGENT_FINISHED",
        "SUBAGENT_ERROR",
    ]
)
"""The event types of AG-UI 1.0, and THINKING_* of those before."""

_MAX_WARNINGS: Final = 100
"""Distinct unknown types to warn about in one process."""

_warned: set[str] = set()


class EventReader:
    """Turns what one run of a source yields into chunks.

    ``message_id`` names the assistant's message that strings are added to.
    """

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._joiner = SurrogateJoiner()

    def read(self, item: Any) -> dict[str, Any] | None:
        """Return the chunk for an item, or None for a string that adds nothing.

        Raises SourceError for anything that is not an event.
        """
        if type(item) is dict:
            chunk = item
        elif isinstance(item, str):
            return self._text(self._joiner.feed(item))
        elif isinstance(item, dict):
            chunk = dict(item)
        elif hasattr(item, "model_dump"):
            chunk = item.model_dump(mode="json", by_alias=True, exclude_none=True)
        else:
            raise SourceError(
                f"a source must yield strings, dicts or AG-UI events, not {type(item).__name__}: {_brief(item)}"
            )
        kind = chunk.get("type")
        if isinstance(kind, Enum):
            kind = kind.value
            chunk = {**chunk, "type": kind}
        if not isinstance(kind, str):
            raise SourceError(f"an event needs a string `type`, but this one has none: {_brief(item)}")
        if kind not in EVENT_TYPES:
            _warn_unknown(kind)
        return chunk

    def end(self) -> dict[str, Any] | None:
        """Return the chunk that is still owed after the last string, if any."""
        return self._text(self._joiner.end())

    def _text(self, delta: str) -> dict[str, Any] | None:
        if not delta:
            return None
        return {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._message_id, "delta": delta}


def _warn_unknown(kind: str) -> None:
    """Warn once for each type: readers ignore such events, so the answer may look empty."""
    if kind in _warned or len(_warned) >= _MAX_WARNINGS:
        return
    _warned.add(kind)
    import difflib  # takes a while, and hardly any process needs it

    close = difflib.get_close_matches(kind.upper(), EVENT_TYPES, n=1)
    advice = f"Did you mean {close[0]}?" if close else "Use an AG-UI event type, or CUSTOM with a `name`."
    logger.warning("a source yielded an event of the unknown type %.100r, which readers ignore. %s", kind, advice)


def _brief(item: Any) -> str:
    try:
        return repr(item)[:200]
    except Exception as error:  # noqa: BLE001 - repr is the user's code
        return f"(its repr failed: {type(error).__name__})"
