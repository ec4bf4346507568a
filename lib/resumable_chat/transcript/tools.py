"""TOOL_CALL_START, _ARGS, _END and _RESULT: tool calls and their results."""

from __future__ import annotations

from typing import Any, Final

from ..protocol.chunks import Chunk
from ..protocol.json_text import stringify
from . import edits
from .js import added_text, truthy
from .results import error_text, output_of, parsed_or
from .state import Call, Fold
from .values import MISSING, Part, tanstack

_SETTLED: Final = frozenset({"error", "approval-requested", "approval-responded"})
"""States of a call that its end does not change."""


def start(fold: Fold, chunk: Chunk) -> None:
    """Begin a tool call in the message that streams."""
    parent = chunk.get("parentMessageId")
    message_id, state = fold.ensure_assistant(parent if parent is not None else fold.active_assistant())
    state.tools_since_text = True
    call_id = chunk.get("toolCallId")
    if call_id in state.calls:
        return
    call = state.calls[call_id] = Call(call_id, chunk.get("toolCallName", MISSING), chunk.get("metadata"))
    fold.streaming.call_owners[call_id] = message_id
    fold.write_call(message_id, call, call.state, metadata=call.metadata)


def args(fold: Fold, chunk: Chunk) -> None:
    """Add to the arguments of a call that streams."""
    call_id = chunk.get("toolCallId")
    owner, call = fold.owned_call(call_id)
    if call is None:
        return

    def write(added: str) -> None:
        call.arguments += added
        if added and call.state == "awaiting-input":
            call.state = "input-streaming"
        fold.write_call(owner, call, call.state)

    write(added_text(chunk.get("delta")))
    fold.run.start("TOOL_CALL_ARGS", call_id, write)


def end(fold: Fold, chunk: Chunk) -> None:
    """Complete a call that streams. ``input`` in the chunk is the last word on its input."""
    owner, call = fold.owned_call(chunk.get("toolCallId"))
    if call is None or call.state == "input-complete":
        return
    given = chunk.get("input", MISSING)
    if given is not MISSING and not call.arguments:
        call.arguments = stringify(given)
    complete(fold, owner, call)
    if given is not MISSING:
        fold.write_call(owner, call, "input-complete", given, call.metadata)


def complete(fold: Fold, message_id: Any, call: Call) -> None:
    """Mark a call's input as complete, unless the call has failed or waits for the user."""
    call.state = "input-complete"
    parsed = parsed_or(MISSING, call.arguments)
    for message in fold.messages.holders(call.id):
        for part in message["parts"]:
            if part.get("type") == "tool-call" and part.get("id") == call.id and is_settled(part):
                return
    fold.write_call(message_id, call, "input-complete", parsed, call.metadata)


def is_settled(part: Part) -> bool:
    """Return whether a call has failed, or is in the user's hands."""
    state = part.get("state")
    return isinstance(state, str) and state in _SETTLED


def result(fold: Fold, chunk: Chunk) -> None:
    """Set a call's output, and put the result itself into the message that called the tool."""
    call_id = chunk.get("toolCallId")
    owner = fold.streaming.call_owners.get(call_id)
    holders = fold.messages.holders(call_id)
    if owner is None and holders:
        owner = holders[0].get("id")
    if not truthy(owner):
        return
    content = chunk.get("content", MISSING)
    failed = "output-error" in (chunk.get("state"), tanstack(chunk).get("state"))
    state = "error" if failed else "complete"
    output = output_of(content)
    for message in holders:
        edits.put_output(message, call_id, output, state)
    part: Part = {"type": "tool-result", "toolCallId": call_id}
    if content is not MISSING:
        part["content"] = content
    part["state"] = state
    text = error_text(output) if failed else ""
    if text:
        part["error"] = text
    for message in fold.messages.named(owner):
        edits.put(message, dict(part), "toolCallId")
