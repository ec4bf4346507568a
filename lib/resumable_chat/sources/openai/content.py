"""The text and the reasoning in a delta, under the names and in the shapes that servers use for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_REASONING_KEYS: Final = (
    "reasoning_content",
    "reasoning",
    "reasoning_text",
    "thinking",
    "thinking_content",
    "thought",
    "thoughts",
    "reasoning_details",
    "thinking_blocks",
)
_REASONING: Final = frozenset(_REASONING_KEYS)
_THOUGHT_TYPES: Final = ("thinking", "reasoning", "thought")
_MAX_DEPTH: Final = 8


def read_content(delta: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the text, the reasoning, and the reasoning's signature that a delta adds, ``""`` for what it does not.

    Servers repeat a thought under two names: one counts.
    """
    content = delta.get("content")
    if type(content) is str and _REASONING.isdisjoint(delta):
        return content or _flat(delta.get("refusal"), 0) or _flat(delta.get("text"), 0), "", ""
    if isinstance(content, str):
        text, thought, signature = content, "", ""
    else:
        text, thought, signature = _parts(content, 0)
    text = text or _flat(delta.get("refusal"), 0) or _flat(delta.get("text"), 0)
    for key in _REASONING_KEYS:
        if thought:
            break
        if delta.get(key):
            thought = _flat(delta[key], 0)
    if not signature:
        signature = _signature(delta)
    return text, thought, signature


def _parts(content: Any, depth: int) -> tuple[str, str, str]:
    """Return the text, reasoning and signature of a list of parts, or of one."""
    if isinstance(content, str):
        return content, "", ""
    if isinstance(content, Mapping):
        kind = content.get("type")
        if isinstance(kind, str) and any(word in kind for word in _THOUGHT_TYPES):
            signature = content.get("signature")
            return "", _flat(content, depth), signature if isinstance(signature, str) else ""
        return _flat(content, depth), "", ""
    text, thought, signature = "", "", ""
    if isinstance(content, list) and depth < _MAX_DEPTH:
        for part in content:
            more = _parts(part, depth + 1)
            text, thought, signature = text + more[0], thought + more[1], more[2] or signature
    return text, thought, signature


def _flat(value: Any, depth: int) -> str:
    """Return all text in a string, a part, or a list of them."""
    if isinstance(value, str):
        return value
    if depth >= _MAX_DEPTH:
        return ""
    if isinstance(value, list):
        return "".join(_flat(item, depth + 1) for item in value)
    if isinstance(value, Mapping):
        for key in ("text", "content", "thinking", "reasoning", "summary", "refusal", "value"):
            if value.get(key):
                return _flat(value[key], depth + 1)
    return ""


def _signature(delta: Mapping[str, Any]) -> str:
    for key in ("reasoning_details", "thinking_blocks"):
        blocks = delta.get(key)
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, Mapping):
                signature = block.get("signature") or block.get("data")
                if isinstance(signature, str):
                    return signature
    return ""
