"""STEP_STARTED, STEP_FINISHED and REASONING_*: what a model thinks, step by step, and its signatures."""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk
from ..protocol.json_text import join_surrogates
from . import edits
from .js import added_text, truthy
from .state import Fold, MessageState
from .values import Part, record


def step_started(fold: Fold, chunk: Chunk) -> None:
    """Name the step that the thoughts after it belong to."""
    step = chunk["stepName"] if truthy(chunk.get("stepName")) else f"step-{fold.seq_num}"
    active = fold.active_assistant()
    if not truthy(active):
        fold.streaming.pending_step = step
        return
    _begin(fold, fold.streaming.states[active], step)


def _begin(fold: Fold, state: MessageState, step: Any) -> None:
    state.step = step
    state.thoughts.setdefault(step, "")
    fold.streaming.pending_step = None


def step_finished(fold: Fold, chunk: Chunk) -> None:
    """Sign the thoughts of a step, if the chunk brings a signature and the step has begun."""
    if not truthy(chunk.get("signature")):
        return
    message_id, state = fold.ensure_assistant(fold.active_assistant())
    step = state.step if state.step is not None else chunk.get("stepId")
    if truthy(step) and step in state.thoughts:
        state.signatures[step] = chunk["signature"]
        _write(fold, message_id, state, step)


def content(fold: Fold, chunk: Chunk) -> None:
    """Add to the thoughts of the current step; without one, the message id in the first of them is its name."""
    message_id, state = fold.ensure_assistant(fold.active_assistant())
    if truthy(fold.streaming.pending_step):
        _begin(fold, state, fold.streaming.pending_step)
    step = state.step if state.step is not None else chunk.get("messageId")
    if step not in state.thoughts:
        state.thoughts[step] = ""
        state.step = step

    def write(added: str) -> None:
        state.thoughts[step] += added
        _write(fold, message_id, state, step)

    write(added_text(chunk.get("delta")))
    fold.run.start("REASONING_MESSAGE_CONTENT", chunk.get("messageId"), write)


def encrypted_value(fold: Fold, chunk: Chunk) -> None:
    """Attach a provider's signature to a tool call, or to the thoughts of a step."""
    value = chunk.get("encryptedValue")
    if not isinstance(value, str) or not value:
        return
    entity = chunk.get("entityId")
    if chunk.get("subtype") == "tool-call":
        for message in fold.messages.holders(entity):
            edits.sign_calls(message, entity, value)
        for state in fold.streaming.states.values():
            if entity in state.calls:
                call = state.calls[entity]
                call.metadata = {**record(call.metadata), "thoughtSignature": value}
        return
    message_id, state = fold.ensure_assistant(fold.active_assistant())
    step = state.step if state.step is not None else entity
    state.signatures[step] = value
    state.thoughts.setdefault(step, "")
    _write(fold, message_id, state, step)


def _write(fold: Fold, message_id: Any, state: MessageState, step: Any) -> None:
    part: Part = {"type": "thinking", "content": join_surrogates(state.thoughts[step])}
    if step is not None:
        part["stepId"] = step
    if truthy(state.signatures.get(step)):
        part["signature"] = state.signatures[step]
    for message in fold.messages.named(message_id):
        edits.put(message, dict(part), "stepId")
