"""The tool calls of one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...protocol.chunks import Chunk
from ...protocol.json_text import stringify
from ...transcript.js import added_text
from .fields import Event, text, with_metadata


@dataclass(slots=True)
class Call:
    """A tool call, and the message that it is in; "" for a call of an earlier run."""

    owner: str
    open: bool = True
    has_arguments: bool = False
    answered: bool = False


class Calls:
    """Knows which calls are open, so that each is closed once, before its result, and gets one result."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def owner(self, call_id: str) -> str | None:
        """Return the message that a call of this run is in."""
        call = self._calls.get(call_id)
        return call.owner if call is not None and call.owner else None

    @property
    def pending(self) -> list[str]:
        """The calls without a result."""
        return [call_id for call_id, call in self._calls.items() if not call.answered]

    def start(self, call_id: str, owner: str, row: str, chunk: Chunk) -> Event:
        """Return the event that begins a call in this row of its owner."""
        self._calls[call_id] = Call(owner)
        name = chunk.get("toolCallName")
        named = {"toolCallId": call_id, "toolCallName": name if isinstance(name, str) else "", "parentMessageId": row}
        return with_metadata({"type": "TOOL_CALL_START", **named}, chunk.get("metadata"))

    def arguments(self, chunk: Chunk) -> Iterator[Event]:
        """Yield the event for more of the arguments of an open call."""
        call_id, call = self._open(chunk)
        delta = added_text(chunk.get("delta"))
        if call is not None and delta:
            call.has_arguments = True
            yield {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta}

    def end(self, chunk: Chunk) -> Iterator[Event]:
        """Yield the events that close an open call. Its input counts if no arguments came."""
        call_id, call = self._open(chunk)
        if call is None:
            return
        if "input" in chunk and not call.has_arguments:
            yield {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": stringify(chunk["input"])}
        call.open = False
        yield with_metadata({"type": "TOOL_CALL_END", "toolCallId": call_id}, chunk.get("metadata"))

    def answer(self, call_id: str, row: str, chunk: Chunk) -> Iterator[Event]:
        """Yield the events for a call's first result. The call may be one of an earlier run."""
        call = self._calls.setdefault(call_id, Call("", open=False))
        if call.answered:
            return
        call.answered = True
        yield from self._closed(call_id, call)
        event = {"type": "TOOL_CALL_RESULT", "messageId": row, "toolCallId": call_id, "role": "tool"}
        yield with_metadata({**event, "content": text(chunk.get("content", ""))}, chunk.get("metadata"))

    def close(self) -> Iterator[Event]:
        """Yield the ends of the open calls."""
        for call_id, call in self._calls.items():
            yield from self._closed(call_id, call)

    def _closed(self, call_id: str, call: Call) -> Iterator[Event]:
        if call.open:
            call.open = False
            yield {"type": "TOOL_CALL_END", "toolCallId": call_id}

    def _open(self, chunk: Chunk) -> tuple[Any, Call | None]:
        call_id = chunk.get("toolCallId")
        call = self._calls.get(call_id) if isinstance(call_id, str) else None
        return call_id, call if call is not None and call.open else None
