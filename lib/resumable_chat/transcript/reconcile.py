"""The messages of a snapshot put together: thoughts before their answer, results behind their call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .results import error_text, output_of
from .values import MISSING, Message, Part, is_id

_UNSETTLED: Final = ("input-complete", "input-streaming", "awaiting-input")


def fold_reasoning(messages: Iterable[Message]) -> list[Message]:
    """Return the messages, with those that are thoughts alone put in front of the answer that follows them."""
    folded: list[Message] = []
    held: list[Message] = []
    for message in messages:
        if message.get("role") == "assistant" and _kinds(message) == {"thinking"}:
            held.append(message)
            continue
        if held and message.get("role") == "assistant" and not _only_results(message):
            thoughts = [part for thought in held for part in thought["parts"]]
            message = {**message, "parts": thoughts + message["parts"]}
        else:
            folded += held
        held = []
        folded.append(message)
    return folded + held


def anchor_results(messages: list[Message], previous_calls: dict[Any, Part]) -> list[Message]:
    """Return the messages, with those that are one tool's result put into the message that called the tool.

    A result without its call goes into the answer before it, with the call if the previous list had it.
    """
    listed = {call_id for message in messages for call_id in calls(message)}
    anchored: list[Message] = []
    callers: dict[Any, Message] = {}
    answers: list[Message] = []
    for message in messages:
        result = _single_result(message)
        call_id = result.get("toolCallId") if result is not None else None
        target = None
        if result is not None:
            while answers and _is_bare_result(answers[-1]):
                answers.pop()
            target = callers.get(call_id) if is_id(call_id) else None
            if target is None and answers:
                target = answers[-1]
        if target is None:
            anchored.append(message)
            callers.update((held, message) for held in calls(message))
            if message.get("role") == "assistant":
                answers.append(message)
            continue
        parts = message["parts"]
        if is_id(call_id) and call_id not in listed and call_id in previous_calls:
            parts = [dict(previous_calls[call_id]), *parts]
            listed.add(call_id)
            callers[call_id] = target
        target["parts"] = target["parts"] + parts
    return anchored


def enrich_calls(messages: list[Message], previous_calls: dict[Any, Part]) -> None:
    """Give tool calls what the previous list knew of them, and the output that results in this list hold."""
    results = {
        part["toolCallId"]: part
        for message in messages
        for part in message["parts"]
        if part.get("type") == "tool-result" and is_id(part.get("toolCallId", MISSING))
    }
    for message in messages:
        message["parts"] = [
            _enriched(part, previous_calls, results)
            if part.get("type") == "tool-call" and is_id(part.get("id"))
            else part
            for part in message["parts"]
        ]


def _enriched(call: Part, previous_calls: dict[Any, Part], results: dict[Any, Part]) -> Part:
    before = previous_calls.get(call.get("id"))
    settled = before is not None and ("output" in before or before.get("state") in ("complete", "error"))
    if before is not None and settled and ("output" not in call or call.get("state") in _UNSETTLED):
        call = call | {key: before[key] for key in ("output", "state", "approval", "metadata") if key in before}
    result = results.get(call.get("id"))
    if result is None or "output" in call:
        return call
    failed = result.get("state") == "error"
    content = result.get("content", MISSING)
    output = content if isinstance(content, list) else output_of(content)
    text = error_text(output) if failed else ""
    call = call | {"state": "error" if failed else "complete"}
    if text:
        return call | {"output": {"error": text}}
    return call if output is MISSING else call | {"output": output}


def calls(message: Message) -> dict[Any, Part]:
    """Return the tool calls in a message by their ids, the last of each."""
    return {
        part.get("id"): part for part in message["parts"] if part.get("type") == "tool-call" and is_id(part.get("id"))
    }


def inherit_metadata(messages: list[Message], previous: Iterable[Message]) -> None:
    """Give messages without metadata those that the previous list had for their ids."""
    known = {message.get("id"): message.get("metadata") for message in previous if is_id(message.get("id"))}
    for message in messages:
        if message.get("metadata") is None and known.get(message["id"]) is not None:
            message["metadata"] = known[message["id"]]


def _kinds(message: Message) -> set[Any]:
    """Return the types of a message's parts; None stands for a type that is not a string."""
    kinds = (part.get("type") for part in message["parts"])
    return {kind if isinstance(kind, str) else None for kind in kinds}


def _only_results(message: Message) -> bool:
    kinds = _kinds(message)
    return "tool-result" in kinds and kinds <= {"tool-result", "ui-resource"}


def _single_result(message: Message) -> Part | None:
    """Return the result in an assistant message that holds one tool's result and no other content."""
    if message.get("role") != "assistant" or not _only_results(message):
        return None
    results = [part for part in message["parts"] if part.get("type") == "tool-result"]
    return results[0] if len(results) == 1 else None


def _is_bare_result(message: Message) -> bool:
    return len(message["parts"]) == 1 and message["parts"][0].get("type") == "tool-result"
