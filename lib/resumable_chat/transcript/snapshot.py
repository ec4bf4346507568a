"""MESSAGES_SNAPSHOT: a whole list, which replaces the messages but keeps what they knew better."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..protocol.chunks import Chunk
from .messages import MessageList
from .reconcile import anchor_results, calls, enrich_calls, fold_reasoning, inherit_metadata
from .rows import read_row
from .state import Fold, Streaming
from .values import Message, Unfoldable


def snapshot(fold: Fold, chunk: Chunk) -> None:
    """Replace the messages with those of the chunk, and forget what streamed."""
    fold.messages = MessageList(read_snapshot(chunk.get("messages"), fold.messages, fold.new_id))
    fold.streaming = Streaming()


def read_snapshot(rows: Any, previous: Iterable[Message], new_id: Callable[[], str]) -> list[Message]:
    """Return the messages that a snapshot's rows stand for.

    Raises Unfoldable where the browser would throw; neither list is changed.
    """
    if not isinstance(rows, list):
        raise Unfoldable("`messages` must be a list")
    previous = list(previous)
    known = {call_id: call for message in previous for call_id, call in calls(message).items()}
    messages = anchor_results(fold_reasoning([read_row(row, new_id) for row in rows]), known)
    enrich_calls(messages, known)
    inherit_metadata(messages, previous)
    return messages
