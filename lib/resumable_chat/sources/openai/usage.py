"""Token counts, as numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def read_usage(payload: Mapping[str, Any], choice: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the usage that a chunk reports: in itself, in its choice (Moonshot), or in ``x_groq``; else None."""
    usage = payload.get("usage") or (choice and choice.get("usage"))
    if not usage and "x_groq" in payload:
        groq = payload["x_groq"]
        usage = groq.get("usage") if isinstance(groq, dict) else None
    return _counts(usage) if usage and isinstance(usage, dict) else None


def _counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    prompt = _number(usage, "prompt_tokens", "input_tokens")
    completion = _number(usage, "completion_tokens", "output_tokens")
    total = _number(usage, "total_tokens")
    counts: dict[str, Any] = {
        "promptTokens": prompt or 0,
        "completionTokens": completion or 0,
        "totalTokens": (prompt or 0) + (completion or 0) if total is None else total,
    }
    for name, key, detail, theirs in (
        ("promptTokensDetails", "prompt_tokens_details", "cachedTokens", "cached_tokens"),
        ("completionTokensDetails", "completion_tokens_details", "reasoningTokens", "reasoning_tokens"),
    ):
        details = usage.get(key)
        number = _number(details, theirs) if isinstance(details, Mapping) else None
        if number is not None:
            counts[name] = {detail: number}
    return counts


def _number(holder: Mapping[str, Any], *keys: str) -> int | float | None:
    for key in keys:
        value = holder.get(key)
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return value if value >= 0 else None
    return None
