"""UI message chunks as server-sent events that the AI SDK's parser takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ...protocol.json_text import dumps

UIChunk = dict[str, Any]

DONE: Final = b"data: [DONE]\n\n"


def frame(chunk: UIChunk, cursor: int | None) -> bytes:
    """Return one event. ``cursor`` becomes its id: a reader that has the event goes on from there."""
    prefix = b"" if cursor is None else b"id: %d\n" % cursor
    return b"%bdata: %b\n\n" % (prefix, encode(chunk))


def frames(chunks: Iterable[UIChunk], cursor: int | None) -> bytes:
    """Return events for chunks that belong together: only the last has the cursor."""
    *others, last = chunks
    return b"".join([*(frame(chunk, None) for chunk in others), frame(last, cursor)])


def encode(value: Any) -> bytes:
    """Return JSON without the keys at which the AI SDK's parser fails: they could reach JavaScript's prototypes."""
    data = dumps(value)
    if b"__proto__" in data or b"constructor" in data:
        return dumps(_harmless(value))
    return data


def _harmless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _harmless(inner) for key, inner in value.items() if not _is_hostile(key, inner)}
    if isinstance(value, list | tuple):
        return [_harmless(item) for item in value]
    return value


def _is_hostile(key: Any, value: Any) -> bool:
    return key == "__proto__" or (key == "constructor" and isinstance(value, dict) and "prototype" in value)
