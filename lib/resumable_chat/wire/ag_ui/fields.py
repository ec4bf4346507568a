"""Fields of AG-UI events and rows in the shapes that strict clients take; whatever is of another shape is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...protocol.json_text import stringify
from ...protocol.open_parts import METADATA
from ...protocol.outcomes import Ending, Outcome

Event = dict[str, Any]
Row = dict[str, Any]

_POINTER: Final = re.compile(r"(/([^/~]|~[01])*)*", re.DOTALL)
_PATCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}
"""The operations of JSON Patch, and the fields that each needs besides ``path``."""

_COUNTS: Final[Mapping[str, str]] = {
    "inputTokens": "inputTokens",
    "outputTokens": "outputTokens",
    "totalTokens": "totalTokens",
    "reasoningTokens": "reasoningTokens",
    "cachedInputTokens": "cachedInputTokens",
    "promptTokens": "inputTokens",
    "completionTokens": "outputTokens",
}
"""AG-UI's names of token counts, by the names that they come under."""

_LARGEST: Final = 2**53 - 1

_FAILED: Final = frozenset({outcome.value for outcome in Outcome if Ending(outcome).failed})

_INTERRUPT_TEXTS: Final = ("message", "toolCallId", "expiresAt")
_INTERRUPT_OBJECTS: Final = ("responseSchema", "metadata")


def text(value: Any) -> str:
    """Return a value as text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else stringify(value)


def with_metadata(fields: dict[str, Any], metadata: Any) -> dict[str, Any]:
    """Return an event's or row's fields, with the metadata if they are an object that says anything."""
    return {**fields, "metadata": metadata} if isinstance(metadata, dict) and metadata else fields


def has_failed(metadata: Any) -> bool:
    """Return whether a message's metadata say that its run failed: then it is shown even without any content."""
    ours = metadata.get(METADATA) if isinstance(metadata, dict) else None
    run = ours.get("run") if isinstance(ours, dict) else None
    outcome = run.get("outcome") if isinstance(run, dict) else None
    return isinstance(outcome, str) and outcome in _FAILED


def is_patch(value: Any) -> bool:
    """Return whether a value is a JSON Patch (RFC 6902)."""
    return isinstance(value, list) and all(map(_is_operation, value))


def _is_operation(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("op"), str) or value["op"] not in _PATCHES:
        return False
    if not all(key in value for key in _PATCHES[value["op"]]):
        return False
    pointers = [value.get("path"), value.get("from", "")]
    return all(isinstance(pointer, str) and _POINTER.fullmatch(pointer) for pointer in pointers)


def usage(reports: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the token usage that runs reported, each as an object or a list of them."""
    entries = [each for report in reports for each in (report if isinstance(report, list) else [report])]
    counted = [_counts(entry) for entry in entries if isinstance(entry, dict)]
    return [entry for entry in counted if entry]


def _counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, ours in _COUNTS.items():
        count: Any = entry.get(name)
        if type(count) in (int, float) and 0 <= count <= _LARGEST and count == int(count):
            found.setdefault(ours, int(count))
    named = {key: entry[key] for key in ("provider", "model") if isinstance(entry.get(key), str)}
    return {**named, **found} if found else {}


def interrupts(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the interrupts of an interrupted run that have an id."""
    return [_interrupt(each) for each in found if isinstance(each.get("id"), str)]


def _interrupt(given: Mapping[str, Any]) -> dict[str, Any]:
    reason = given.get("reason")
    made: dict[str, Any] = {"id": given["id"]}
    if not isinstance(reason, str):
        reason = "tool_call" if isinstance(given.get("toolCallId"), str) else "input_required"
    made["reason"] = reason
    made |= {key: given[key] for key in _INTERRUPT_TEXTS if isinstance(given.get(key), str)}
    made |= {key: given[key] for key in _INTERRUPT_OBJECTS if isinstance(given.get(key), dict)}
    return made
