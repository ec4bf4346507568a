"""The conversation as an OpenAI-compatible server takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..surrogates import repair
from .parts import Attachment, Part, Text, plain_text
from .rounds import Call, Round, System, User, read_turns

Row = dict[str, Any]

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_SOUNDS: Final = {"audio/mpeg": "mp3", "audio/wav": "wav"}


def to_openai(messages: Sequence[Mapping[str, Any]], *, system: str | None = None) -> list[Row]:
    """Return the messages as rows of the chat completions protocol, behind ``system`` if it is given.

    Reasoning is left out. Every call is followed by its result, as the protocol demands.
    """
    rows: list[Row] = [{"role": "system", "content": repair(system)}] if system else []
    for turn in read_turns(messages):
        if isinstance(turn, System):
            rows.append({"role": "system", "content": turn.text})
        elif isinstance(turn, User):
            rows.append({"role": "user", "content": _user_content(turn.parts)})
        else:
            rows += _round(turn)
    return rows


def _round(turn: Round) -> list[Row]:
    row: Row = {"role": "assistant", "content": turn.text or None}
    if turn.calls:
        row["tool_calls"] = [_call(call) for call in turn.calls]
    results = [{"role": "tool", "tool_call_id": call.id, "content": call.result_text()} for call in turn.calls]
    return [row, *results]


def _call(call: Call) -> Row:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _user_content(parts: Sequence[Part]) -> str | list[Row]:
    rows = [_user_part(part) for part in parts]
    if all(row["type"] == "text" for row in rows):
        return "".join(row["text"] for row in rows)
    return rows


def _user_part(part: Part) -> Row:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return _media(part) or {"type": "text", "text": plain_text([part])}


def _media(part: Attachment) -> Row | None:
    """Return the attachment in the protocol's own form; None if it has none for this kind or format."""
    if part.kind == "image" and part.url is not None:
        return {"type": "image_url", "image_url": {"url": part.url}}
    if part.data is None:
        return None
    url = f"data:{part.mime};base64,{part.data}"
    if part.mime in _IMAGES:
        return {"type": "image_url", "image_url": {"url": url}}
    if part.mime in _SOUNDS:
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": _SOUNDS[part.mime]}}
    if part.mime == "application/pdf":
        return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": url}}
    return None
