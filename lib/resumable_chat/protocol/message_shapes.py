"""The shapes of messages and their parts: what clients may submit, and what a log may hold.

A field that is missing or null passes, for the browser's own fold makes such parts of odd chunks, and submits them with
every later send. A field of the wrong type is a flaw. Parts of unknown types pass as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Rule = tuple[type | tuple[type, ...], str]

_TEXT: Final[Rule] = (str, "must be a string")
_OBJECT: Final[Rule] = (dict, "must be an object")
_FLAG: Final[Rule] = (bool, "must be true or false")

_MEDIA: Final[Mapping[str, Rule]] = {
    "source": _OBJECT,
    "source.type": _TEXT,
    "source.value": _TEXT,
    "source.mimeType": _TEXT,
}

PARTS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "text": {"content": _TEXT},
    "thinking": {"content": _TEXT, "stepId": _TEXT, "signature": _TEXT},
    "tool-call": {
        "id": _TEXT,
        "name": _TEXT,
        "arguments": _TEXT,
        "state": _TEXT,
        "approval": _OBJECT,
        "approval.id": _TEXT,
        "approval.needsApproval": _FLAG,
        "approval.approved": _FLAG,
    },
    "tool-result": {"toolCallId": _TEXT, "state": _TEXT, "id": _TEXT, "name": _TEXT},
    "structured-output": {"status": _TEXT, "raw": _TEXT},
    "ui-resource": {"resource": _OBJECT, "toolCallId": _TEXT, "toolName": _TEXT},
    "image": _MEDIA,
    "audio": _MEDIA,
    "video": _MEDIA,
    "document": _MEDIA,
}
"""The fields of each type of part that have a type of their own; any other value is taken as it is."""

ROLES: Final = ("activity", "assistant", "developer", "reasoning", "system", "tool", "user")

_MESSAGE: Final[Mapping[str, Rule]] = {"name": _TEXT, "metadata": _OBJECT}


def message_flaw(message: Mapping[str, Any]) -> str | None:
    """Return the first flaw of a message with ``parts``, as in "parts[1].id: must be a string"; None without one."""
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "id: must be a string that is not empty"
    if not isinstance(message.get("role"), str) or message["role"] not in ROLES:
        return f"role: must be one of {', '.join(ROLES)}"
    flaw = fields_flaw(message, _MESSAGE)
    if flaw is not None:
        return flaw
    parts = message.get("parts")
    if not isinstance(parts, list):
        return "parts: must be a list"
    for index, part in enumerate(parts):
        flaw = part_flaw(part)
        if flaw is not None:
            return f"parts[{index}]{flaw}"
    return None


def part_flaw(part: Any) -> str | None:
    """Return the first flaw of a part, as it follows the part's own place in a text: ".id: must be a string"."""
    if not isinstance(part, dict):
        return ": must be an object with a `type`"
    kind = part.get("type")
    if not isinstance(kind, str):
        return ".type: must be a string"
    flaw = fields_flaw(part, PARTS.get(kind, {}))
    return None if flaw is None else f".{flaw}"


def fields_flaw(value: Mapping[str, Any], rules: Mapping[str, Rule]) -> str | None:
    """Return the first field that breaks its rule, and how. A dotted name is a field of an object in the value."""
    for name, (types, text) in rules.items():
        outer, _, inner = name.partition(".")
        found = value.get(outer)
        if inner:
            found = found.get(inner) if isinstance(found, dict) else None
        if found is not None and not isinstance(found, types):
            return f"{name}: {text}"
    return None
