"""Pure edits of one message: they find the part they mean, or add it at the end, and touch nothing else."""

from __future__ import annotations

from typing import Any

from .js import truthy
from .values import MISSING, Message, Part, record


def find(message: Message, kind: str, key: str, value: Any) -> int | None:
    """Return the position of the message's first part of a kind with this value under a key."""
    for position, part in enumerate(message["parts"]):
        if part.get("type") == kind and part.get(key) == value:
            return position
    return None


def put(message: Message, part: Part, key: str) -> bool:
    """Replace the part of the same kind with the same value under ``key``, or add it. Return whether it was added."""
    at = find(message, part["type"], key, part.get(key))
    if at is None:
        message["parts"].append(part)
        return True
    message["parts"][at] = part
    return False


def put_text(message: Message, text: str) -> None:
    """Set the text at the end of the message, or begin one."""
    parts = message["parts"]
    part = {"type": "text", "content": text}
    if parts and parts[-1].get("type") == "text":
        parts[-1] = part
    else:
        parts.append(part)


def put_call(message: Message, call: Part, given: Any = MISSING, metadata: Any = None) -> bool:
    """Set a tool call's name, arguments and state, and keep what else was known of it. Return whether it was added.

    ``given`` is its parsed input; null and MISSING keep the earlier one.
    """
    at = find(message, "tool-call", "id", call.get("id"))
    before: Part = {} if at is None else message["parts"][at]
    part: Part = {"type": "tool-call", **call}
    if truthy(before.get("approval")):
        part["approval"] = before["approval"]
    if "output" in before:
        part["output"] = before["output"]
    if given is not MISSING and given is not None:
        part["input"] = given
    elif "input" in before:
        part["input"] = before["input"]
    if metadata is not None:
        part["metadata"] = metadata
    elif "metadata" in before:
        part["metadata"] = before["metadata"]
    if at is None:
        message["parts"].append(part)
        return True
    message["parts"][at] = part
    return False


def put_output(message: Message, call_id: Any, output: Any, state: str) -> None:
    """Set the output and state of the message's first tool call with this id, if it has one."""
    at = find(message, "tool-call", "id", call_id)
    if at is None:
        return
    part = {key: value for key, value in message["parts"][at].items() if key != "output"}
    if output is not MISSING:
        part["output"] = output
    message["parts"][at] = {**part, "state": state}


def ask_approval(message: Message, call_id: Any, approval_id: Any) -> None:
    """Mark the message's tool call with this id as waiting for the user's approval."""
    at = find(message, "tool-call", "id", call_id)
    if at is not None:
        approval: Part = {} if approval_id is MISSING else {"id": approval_id}
        approval["needsApproval"] = True
        message["parts"][at] = {**message["parts"][at], "state": "approval-requested", "approval": approval}


def sign_calls(message: Message, call_id: Any, signature: str) -> None:
    """Add a provider's signature to the metadata of every tool call with this id."""
    for at, part in enumerate(message["parts"]):
        if part.get("type") == "tool-call" and part.get("id") == call_id:
            message["parts"][at] = {**part, "metadata": {**record(part.get("metadata")), "thoughtSignature": signature}}


def merged_metadata(message: Message, incoming: dict[str, Any]) -> dict[str, Any]:
    """Return the message's metadata with others laid over them; TanStack's objects in both are merged in turn."""
    before = record(message.get("metadata"))
    merged = {**before, **incoming}
    old, new = before.get("tanstack"), incoming.get("tanstack")
    if isinstance(old, dict) and isinstance(new, dict):
        merged["tanstack"] = {**old, **new}
    return merged
