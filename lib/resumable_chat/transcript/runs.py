"""RUN_STARTED, RUN_FINISHED and RUN_ERROR: what the end of a run does to the messages."""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk
from . import edits, structured
from .js import blank, truthy
from .state import Fold
from .tools import complete
from .values import MISSING, Message, is_id, record, tanstack


def started(fold: Fold, chunk: Chunk) -> None:
    """Take note of a run. The messages are settled when the last open run ends."""
    fold.streaming.runs[chunk.get("runId")] = None


def finished(fold: Fold, chunk: Chunk) -> None:
    """Ask for the approvals that an interrupt wants; settle the messages if no run is open."""
    outcome = record(chunk.get("outcome"))
    interrupted = outcome.get("type") == "interrupt"
    fold.streaming.runs.pop(chunk.get("runId"), None)
    for interrupt in outcome["interrupts"] if interrupted else ():
        _interrupt(fold, interrupt)
    if fold.streaming.runs:
        return
    for message_id in list(fold.streaming.active):
        _complete_calls(fold, message_id)
    if interrupted or chunk.get("finishReason") != "tool_calls":
        settle(fold)


def _interrupt(fold: Fold, interrupt: dict[str, Any]) -> None:
    call_id = interrupt.get("toolCallId")
    if not truthy(call_id) or not is_id(call_id):
        return
    if record(interrupt.get("metadata")).get("kind") != "approval" and interrupt.get("reason") != "approval_required":
        return
    target = fold.active_assistant()
    if target is None:
        target = fold.streaming.call_owners.get(call_id)
    if target is None:
        holders = (message for message in fold.messages.holders(call_id) if message.get("role") == "assistant")
        target = next((message.get("id") for message in holders), None)
    ask_approval(fold, target, call_id, interrupt.get("id", MISSING))


def ask_approval(fold: Fold, message_id: Any, call_id: Any, approval_id: Any) -> None:
    """Mark a call in a message as waiting for the user's approval."""
    for message in fold.messages.named(message_id) if truthy(message_id) else ():
        edits.ask_approval(message, call_id, approval_id)


def _complete_calls(fold: Fold, message_id: Any) -> None:
    state = fold.streaming.states.get(message_id)
    if state is not None:
        for call in state.calls.values():
            if call.state != "input-complete":
                complete(fold, message_id, call)


def settle(fold: Fold) -> None:
    """End the stream: complete what is open, and drop the last answer if it is nothing but blanks."""
    streaming = fold.streaming
    last: Message = {}
    for message_id in streaming.active:
        if message_id in streaming.states:
            _complete_calls(fold, message_id)
            named = fold.messages.named(message_id)
            if named and named[0].get("role") == "assistant":
                last = named[0]
    # Judged before a broken structured output becomes a part of the message.
    nothing_but_blanks = _is_blank(last)
    for message_id in streaming.structured:
        for message in fold.messages.named(message_id):
            structured.fail(message, "Stream ended without structured-output.complete")
    streaming.structured.clear()
    streaming.active.clear()
    if nothing_but_blanks and not streaming.had_error:
        fold.messages.remove(last.get("id"))


def _is_blank(message: Message) -> bool:
    return bool(message.get("parts")) and all(
        part.get("type") == "text" and isinstance(part.get("content"), str) and blank(part["content"])
        for part in message["parts"]
    )


def failed(fold: Fold, chunk: Chunk) -> None:
    """Make sure that the error has an assistant message; end its structured output."""
    fold.streaming.had_error = True
    run_id = next((name for name in (chunk.get("runId"), tanstack(chunk).get("runId")) if _is_name(name)), None)
    if run_id is None:
        fold.streaming.runs.clear()
    else:
        fold.streaming.runs.pop(run_id, None)
    message_id, _ = fold.ensure_assistant()
    if message_id in fold.streaming.structured:
        error = chunk["message"] if truthy(chunk.get("message")) else "An error occurred"
        for message in fold.messages.named(message_id):
            structured.fail(message, error)
        del fold.streaming.structured[message_id]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""
