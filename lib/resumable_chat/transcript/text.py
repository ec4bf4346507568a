"""TEXT_MESSAGE_START, _CONTENT and _END: messages and their text."""

from __future__ import annotations

from typing import Any

from ..protocol.chunks import Chunk
from . import structured
from .js import added_text
from .state import Fold


def start(fold: Fold, chunk: Chunk) -> None:
    """Begin a message, or name the one that was made before its start came."""
    message_id = chunk.get("messageId")
    role = chunk.get("role")
    role = role if role in ("user", "system") else "assistant"
    streaming = fold.streaming
    if streaming.unnamed is not None:
        unnamed, streaming.unnamed = streaming.unnamed, None
        if unnamed != message_id:
            _rename(fold, unnamed, message_id)
    elif fold.messages.named(message_id):
        streaming.active[message_id] = None
    else:
        fold.add_message(message_id, role)
    state = streaming.states.get(message_id)
    if state is None:
        fold.open(message_id, role)
    elif state.tools_since_text:
        fold.begin_segment(message_id, state)
    fold.merge_metadata(message_id, chunk)


def _rename(fold: Fold, old: Any, new: Any) -> None:
    streaming = fold.streaming
    fold.messages.rename(old, new)
    state = streaming.states.pop(old, None)
    if state is not None:
        streaming.states[new] = state
    streaming.active.pop(old, None)
    streaming.active[new] = None
    for call_id, owner in streaming.call_owners.items():
        if owner == old:
            streaming.call_owners[call_id] = new


def content(fold: Fold, chunk: Chunk) -> None:
    """Add text to a message, or to its structured output."""
    message_id, state = fold.ensure_assistant(chunk.get("messageId"))
    fold.merge_metadata(message_id, chunk)
    delta = added_text(chunk.get("delta"))

    if message_id in fold.streaming.structured:

        def write(added: str) -> None:
            for message in fold.messages.named(message_id):
                structured.add_delta(message, added)

        if delta:
            write(delta)
    else:
        if state.tools_since_text and state.segment:
            fold.begin_segment(message_id, state)
        state.tools_since_text = False

        def write(added: str) -> None:
            state.segment += added
            fold.write_text(message_id, state)

        write(delta)
    if chunk.get("messageId") == message_id:
        fold.run.start("TEXT_MESSAGE_CONTENT", message_id, write)


def end(fold: Fold, chunk: Chunk) -> None:
    """Merge the metadata that comes with a message's end. The end itself changes nothing."""
    fold.merge_metadata(chunk.get("messageId"), chunk)
