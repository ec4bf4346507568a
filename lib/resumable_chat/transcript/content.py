"""Content of messages and tool results: a text, or a list of parts."""

from __future__ import annotations

from typing import Any, Final

from .values import Part, Unfoldable, record

_MEDIA: Final = frozenset({"image", "audio", "video", "document"})


def part_list(parts: Any) -> list[Part]:
    """Return the value if it is a list of objects. Raises Unfoldable."""
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Unfoldable("the parts of a message must be a list of objects")
    return parts


def content_parts(content: Any) -> list[Part]:
    """Return the parts that a row's content stands for. Raises Unfoldable."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [dict(part) for part in part_list(content)]


def is_content_list(value: Any) -> bool:
    """Return whether a value is a list of content parts, and not empty."""
    return isinstance(value, list) and bool(value) and all(map(_is_content_part, value))


def _is_content_part(value: Any) -> bool:
    part = record(value)
    if part.get("type") == "text":
        return isinstance(part.get("content"), str)
    source = record(part.get("source"))
    if not isinstance(part.get("type"), str) or part["type"] not in _MEDIA or not isinstance(source.get("value"), str):
        return False
    return source.get("type") == "url" or (source.get("type") == "data" and isinstance(source.get("mimeType"), str))
