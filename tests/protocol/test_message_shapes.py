"""Each field of a part has a type; the first flaw is named by its path."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.message_shapes import PARTS, message_flaw, part_flaw

WRONG: dict[type, list[Any]] = {
    str: [5, True, [], {}],
    dict: ["x", 5, []],
    bool: ["x", 1],
}


@pytest.mark.parametrize("kind", PARTS)
def test_every_type_of_part_has_rules(kind: str) -> None:
    """Each field with a rule refuses every other type, and passes if it is missing or null."""
    assert part_flaw({"type": kind}) is None
    for rule in PARTS[kind]:
        assert part_flaw({"type": kind, rule.name: None}) is None
        for value in WRONG[rule.type]:
            assert (part_flaw({"type": kind, rule.name: value}) or "").startswith(f".{rule.name}: must be ")
        for inner in rule.inner:
            for value in WRONG[inner.type]:
                flaw = part_flaw({"type": kind, rule.name: {inner.name: value}}) or ""
                assert flaw.startswith(f".{rule.name}.{inner.name}: must be ")


def test_the_rules_are_those_of_the_documented_parts() -> None:
    """A rule that is dropped would let a part through that no reader can use."""
    assert {kind: [rule.name for rule in rules] for kind, rules in PARTS.items()} == {
        "text": ["content"],
        "thinking": ["content", "stepId", "signature"],
        "tool-call": ["id", "name", "arguments", "state", "approval"],
        "tool-result": ["toolCallId", "state", "id", "name"],
        "structured-output": ["status", "raw"],
        "ui-resource": ["resource", "toolCallId", "toolName"],
        "image": ["source"],
        "audio": ["source"],
        "video": ["source"],
        "document": ["source"],
    }


@pytest.mark.parametrize(
    ("message", "flaw"),
    [
        ({"role": "user", "parts": []}, "id: must be a string that is not empty"),
        ({"id": "", "role": "user", "parts": []}, "id: must be a string that is not empty"),
        ({"id": "u", "role": [], "parts": []}, "role: must be one of activity, assistant, "),
        ({"id": "u", "role": "cat", "parts": []}, "role: must be one of "),
        ({"id": "u", "role": "user", "parts": {}}, "parts: must be a list"),
        ({"id": "u", "role": "user", "parts": [], "metadata": []}, "metadata: must be an object"),
        ({"id": "u", "role": "user", "parts": [], "name": 5}, "name: must be a string"),
        ({"id": "u", "role": "user", "parts": ["x"]}, "parts[0]: must be an object with a `type`"),
        ({"id": "u", "role": "user", "parts": [{"type": []}]}, "parts[0].type: must be a string"),
        (
            {"id": "u", "role": "user", "parts": [{"type": "text"}, {"type": "tool-call", "id": {}}]},
            "parts[1].id: must be a string",
        ),
    ],
)
def test_the_first_flaw_is_named(message: dict[str, Any], flaw: str) -> None:
    """The path leads to the field, and the text says what it must be."""
    assert (message_flaw(message) or "").startswith(flaw)


def test_unknown_parts_pass() -> None:
    """A part of a type that comes later than this library is taken as it is."""
    assert message_flaw({"id": "u", "role": "user", "parts": [{"type": "hologram", "content": 5, "id": {}}]}) is None
