"""Edits replace the part they mean, keep what was known of it, and leave the other parts alone."""

from __future__ import annotations

from typing import Any

from resumable_chat.transcript import edits


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "a", "role": "assistant", "parts": list(parts)}


def test_a_call_keeps_what_was_known_of_it() -> None:
    """Approval, output, input and metadata, unless new ones come; null is none."""
    known = {"approval": {"id": "p"}, "output": None, "input": 1, "metadata": {"m": 1}}
    given = message({"type": "text"}, {"type": "tool-call", "id": "c", "state": "old", **known})
    assert not edits.put_call(given, {"id": "c", "state": "new"}, None)
    assert given["parts"][1] == {"type": "tool-call", "id": "c", "state": "new", **known}
    edits.put_call(given, {"id": "c", "state": "new"}, 2, {"m": 2})
    assert given["parts"][1] == {
        "type": "tool-call",
        "id": "c",
        "state": "new",
        **known,
        "input": 2,
        "metadata": {"m": 2},
    }
    assert edits.put_call(given, {"id": "d"}) and given["parts"][2] == {"type": "tool-call", "id": "d"}


def test_output_replaces_the_output_before_it() -> None:
    """Also by nothing, for a result without content; a message without the call stays as it is."""
    given = message({"type": "tool-call", "id": "c", "output": 1}, {"type": "tool-call", "id": "c"})
    edits.put_output(given, "c", edits.MISSING, "complete")
    assert given["parts"] == [{"type": "tool-call", "id": "c", "state": "complete"}, {"type": "tool-call", "id": "c"}]
    before = message({"type": "text"})
    edits.put_output(before, "c", 1, "complete")
    assert before == message({"type": "text"})


def test_a_signature_is_added_to_the_metadata_of_every_part_of_a_call() -> None:
    """What was there stays."""
    given = message({"type": "tool-call", "id": "c", "metadata": {"m": 1}}, {"type": "tool-call", "id": "c"})
    edits.sign_calls(given, "c", "s")
    assert [part["metadata"] for part in given["parts"]] == [
        {"m": 1, "thoughtSignature": "s"},
        {"thoughtSignature": "s"},
    ]


def test_text_goes_to_the_end() -> None:
    """Into the text there, or behind another part."""
    given = message({"type": "text", "content": "a"})
    edits.put_text(given, "ab")
    given["parts"].append({"type": "thinking"})
    edits.put_text(given, "c")
    assert [part.get("content") for part in given["parts"]] == ["ab", None, "c"]


def test_metadata_are_laid_over_those_before() -> None:
    """TanStack's are merged in turn; what is no object counts as none."""
    before = message() | {"metadata": {"a": 1, "tanstack": {"x": 1}}}
    merged = edits.merged_metadata(before, {"b": 2, "tanstack": {"y": 2}})
    assert merged == {"a": 1, "b": 2, "tanstack": {"x": 1, "y": 2}}
    assert edits.merged_metadata(message() | {"metadata": None}, {"b": 2}) == {"b": 2}
