"""The shapes of messages and their parts: what clients may submit, and what a log may hold.

A field that is missing or null passes, for the browser's own fold makes such parts of odd chunks, and submits them with
every later send. A field of the wrong type is a flaw. Parts of unknown types pass as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_WORDS: Final = {
    str: "must be a string",
    dict: "must be an object",
    list: "must be a list",
    bool: "must be true or false",
}


class Rule(NamedTuple):
    """The type that a field must have, and the rules for the fields of an object in it."""

    type: Any
    name: str
    inner: tuple[Rule, ...] = ()


ROLES: Final = frozenset({"activity", "assistant", "developer", "reasoning", "system", "tool", "user"})

_MEDIA: Final = (Rule(dict, "source", tuple(Rule(str, name) for name in ("type", "value", "mimeType"))),)

PARTS: Final[Mapping[str, Sequence[Rule]]] = {
    "text": (Rule(str, "content"),),
    "thinking": (Rule(str, "content"), Rule(str, "stepId"), Rule(str, "signature")),
    "tool-call": (
        *(Rule(str, name) for name in ("id", "name", "arguments", "state")),
        Rule(dict, "approval", (Rule(str, "id"), Rule(bool, "needsApproval"), Rule(bool, "approved"))),
    ),
    "tool-result": tuple(Rule(str, name) for name in ("toolCallId", "state", "id", "name")),
    "structured-output": (Rule(str, "status"), Rule(str, "raw")),
    "ui-resource": (Rule(dict, "resource"), Rule(str, "toolCallId"), Rule(str, "toolName")),
    **dict.fromkeys(("image", "audio", "video", "document"), _MEDIA),
}
"""The rules for each type of part. A field without a rule may hold any JSON."""

_MESSAGE: Final = (Rule(str, "name"), Rule(dict, "metadata"), Rule(list, "parts"))


def message_flaw(message: Mapping[str, Any]) -> str | None:
    """Return the first flaw of a message, as in "parts[1].id: must be a string"; None if it has none."""
    message_id, role = message.get("id"), message.get("role")
    if type(message_id) is not str or not message_id:
        return "id: must be a string that is not empty"
    if type(role) is not str or role not in ROLES:
        return f"role: must be one of {', '.join(sorted(ROLES))}"
    flaw = fields_flaw(message, _MESSAGE)
    if flaw is not None:
        return flaw
    for index, part in enumerate(message.get("parts") or ()):
        # Nearly every part of a long chat is a text.
        if type(part) is dict and part.get("type") == "text" and type(part.get("content")) is str:
            continue
        flaw = part_flaw(part)
        if flaw is not None:
            return f"parts[{index}]{flaw}"
    return None


def part_flaw(part: Any) -> str | None:
    """Return the first flaw of a part, as it follows the part's own place in a text: ".id: must be a string"."""
    if type(part) is not dict:
        return ": must be an object with a `type`"
    kind = part.get("type")
    if type(kind) is not str:
        return ".type: must be a string"
    rules = PARTS.get(kind)
    if rules is None or (flaw := fields_flaw(part, rules)) is None:
        return None
    return f".{flaw}"


def fields_flaw(value: Mapping[str, Any], rules: Sequence[Rule]) -> str | None:
    """Return the first field that breaks its rule, and how: "approval.id: must be a string"."""
    for kind, name, inner in rules:
        found = value.get(name)
        if found is None:
            continue
        if type(found) is not kind:
            return f"{name}: {_WORDS[kind]}"
        if inner and (flaw := fields_flaw(found, inner)) is not None:
            return f"{name}.{flaw}"
    return None
