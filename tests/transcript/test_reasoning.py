"""Thoughts are collected by step, and keep their provider's signatures."""

from __future__ import annotations

from .canonical import fold
from .chunks import call, start, thought


def step(name: str) -> dict[str, str]:
    return {"type": "STEP_STARTED", "stepName": name}


def test_thoughts_belong_to_the_step_before_them() -> None:
    """Without a step, the first message id names it, for all thoughts that follow."""
    parts = fold([step("s1"), thought("a"), step("s2"), thought("b"), thought("c", "other")])[0]["parts"]
    assert parts == [
        {"type": "thinking", "content": "a", "stepId": "s1"},
        {"type": "thinking", "content": "bc", "stepId": "s2"},
    ]
    unnamed = fold([start(), thought("a", "t1"), thought("b", "t2")])[0]["parts"]
    assert unnamed == [{"type": "thinking", "content": "ab", "stepId": "t1"}]


def test_a_finished_step_is_signed() -> None:
    """Also by a signature that the wire form has in its metadata."""
    for fields in ({"signature": "s"}, {"metadata": {"tanstack": {"signature": "s"}}}):
        part = fold([thought("a"), {"type": "STEP_FINISHED", "stepName": "x", **fields}, thought("b")])[0]["parts"][0]
        assert part == {"type": "thinking", "content": "ab", "stepId": "t", "signature": "s"}
    assert "signature" not in fold([thought("a"), {"type": "STEP_FINISHED", "stepName": "x"}])[0]["parts"][0]


def test_encrypted_values_sign_calls_and_thoughts() -> None:
    """A call keeps its signature when its arguments come later; an empty value is ignored."""
    value = {"type": "REASONING_ENCRYPTED_VALUE", "entityId": "c", "encryptedValue": "e"}
    chunks = [call(), value | {"subtype": "tool-call"}, {"type": "TOOL_CALL_END", "toolCallId": "c", "input": 1}]
    assert fold(chunks)[0]["parts"][0]["metadata"] == {"thoughtSignature": "e"}
    assert fold([value])[0]["parts"] == [{"type": "thinking", "content": "", "stepId": "c", "signature": "e"}]
    assert fold([value | {"encryptedValue": ""}]) == []


def test_halves_of_a_character_meet() -> None:
    """Deltas may split it."""
    assert fold([thought("\ud83d"), thought("\ude00")])[0]["parts"][0]["content"] == "😀"
