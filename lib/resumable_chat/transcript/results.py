"""The meaning of a tool's result for the call."""

from __future__ import annotations

from typing import Any

from ..protocol.json_text import NotJson, loads
from .js import string


def output_of(content: Any) -> Any:
    """Return the output in a result's content: parsed if it is JSON, otherwise the content itself."""
    if isinstance(content, (str, list)):
        try:
            return loads(string(content))
        except NotJson:
            return content
    return content


def error_text(output: Any) -> str:
    """Return the error text in a failed call's output."""
    if isinstance(output, dict) and isinstance(output.get("error"), str):
        return str(output["error"])
    return output if isinstance(output, str) else "Tool execution failed"
