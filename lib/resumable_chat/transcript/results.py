"""The meaning of a tool's result for the call."""

from __future__ import annotations

from typing import Any

from ..protocol.json_text import MAX_VALUE_DEPTH, NotJson, loads
from .js import string
from .values import MISSING


def output_of(content: Any) -> Any:
    """Return the output in a result's content: parsed if it is JSON, otherwise the content itself."""
    return parsed_or(content, content)


def parsed_or(default: Any, value: Any) -> Any:
    """Return ``JSON.parse(value)``, or the default if that throws."""
    try:
        return default if value is MISSING else loads(string(value), MAX_VALUE_DEPTH)
    except NotJson:
        return default


def error_text(output: Any) -> str:
    """Return the error text in a failed call's output."""
    if isinstance(output, dict) and isinstance(output.get("error"), str):
        return str(output["error"])
    return output if isinstance(output, str) else "Tool execution failed"
