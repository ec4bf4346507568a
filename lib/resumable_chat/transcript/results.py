"""What the result of a tool call means for the call."""

from __future__ import annotations

from typing import Any

from .js import NotJson, parse_json

MISSING: Any = object()
"""Stands for JavaScript's undefined where null means something else."""


def output_of(content: Any) -> Any:
    """The output in a result's content: parsed if it is JSON, otherwise the content itself."""
    if isinstance(content, str):
        try:
            return parse_json(content)
        except NotJson:
            return content
    return content


def error_text(output: Any) -> str:
    """The error that a failed call's output tells."""
    if isinstance(output, dict) and isinstance(output.get("error"), str):
        return str(output["error"])
    return output if isinstance(output, str) else "Tool execution failed"
