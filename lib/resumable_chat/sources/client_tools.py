"""Tools that run in the client: how a source offers them to its model, and how the client learns of their calls.

TanStack's client runs a tool when it sees ``CUSTOM tool-input-available``, and then sends the result with the messages
of a new run. One that comes behind the run's end may be missed, so the calls are told right before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .surrogates import repair

Chunk = dict[str, Any]

MAX_TOOLS: Final = 128
"""Tools of one client that are offered; providers take no more."""

_MAX_CALLS: Final = 256
_AVAILABLE: Final = "tool-input-available"


@dataclass(frozen=True, slots=True)
class ClientTool:
    """A tool of the client's. ``parameters`` is the JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


def read_tools(given: Sequence[Any]) -> list[ClientTool]:
    """Return the tools that a client sent along, each name once. What is not a tool is left out.

    Each is ``{name, description, parameters}`` as AG-UI has it, or stands under ``function`` as OpenAI has it.
    """
    tools: dict[str, ClientTool] = {}
    for item in given:
        found = item.get("function", item) if isinstance(item, Mapping) else None
        name = found.get("name") if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping) or not isinstance(name, str) or not name or name in tools:
            continue
        if len(tools) >= MAX_TOOLS:
            break
        description = found.get("description")
        tools[name] = ClientTool(
            repair(name),
            repair(description) if isinstance(description, str) else "",
            _schema(found.get("parameters", found.get("inputSchema"))),
        )
    return list(tools.values())


def _schema(given: Any) -> Mapping[str, Any]:
    """Return a schema that providers take: they refuse an object without ``properties``."""
    schema = given if isinstance(given, Mapping) else {}
    return {"type": "object", "properties": {}, **schema}


class ClientCalls:
    """Finds the calls of client tools that a run leaves without a result, and tells the client to run them.

    A run's end is held back until the next chunk, or the end of the source, shows whether it is the last one.
    """

    def __init__(self, tools: Sequence[ClientTool]) -> None:
        self._names = {tool.name for tool in tools}
        self._open: dict[str, _Call] = {}
        self._held: Chunk | None = None

    def feed(self, chunk: Chunk) -> list[Chunk]:
        """Return the chunks to pass on for the source's next one."""
        held, self._held = self._held, None
        out = [held] if held is not None else []
        kind = chunk.get("type")
        if kind == "RUN_FINISHED":
            for interrupt in _interrupts(chunk):
                self._open.pop(interrupt, None)
            if self._open:
                self._held = chunk
                return out
        elif kind == "RUN_ERROR":
            self._open.clear()
        elif kind == "CUSTOM":
            value = chunk.get("value")
            if chunk.get("name") == _AVAILABLE and isinstance(value, Mapping):
                self._answered(value.get("toolCallId"))
        elif kind == "TOOL_CALL_RESULT":
            self._answered(chunk.get("toolCallId"))
        else:
            self._call(chunk)
        return [*out, chunk]

    def end(self) -> list[Chunk]:
        """Return what is owed at the end of the source: a CUSTOM for each call, and the run's end."""
        out = [call.available() for call in self._open.values() if call.whole()]
        return out if self._held is None else [*out, self._held]

    def _call(self, chunk: Chunk) -> None:
        call_id = chunk.get("toolCallId")
        if not isinstance(call_id, str):
            return
        kind = chunk.get("type")
        if kind == "TOOL_CALL_START":
            name = chunk.get("toolCallName", chunk.get("toolName"))
            if isinstance(name, str) and name in self._names and len(self._open) < _MAX_CALLS:
                self._open.setdefault(call_id, _Call(call_id, name))
        elif (call := self._open.get(call_id)) is not None:
            if kind == "TOOL_CALL_ARGS" and isinstance(chunk.get("delta"), str):
                call.pieces.append(chunk["delta"])
            elif kind == "TOOL_CALL_END":
                call.ended = True
                call.given = chunk.get("input")

    def _answered(self, call_id: Any) -> None:
        if isinstance(call_id, str):
            self._open.pop(call_id, None)


@dataclass(slots=True)
class _Call:
    """A call without a result. ``given`` is the whole input, if the call's end has it."""

    id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    given: Any = None
    ended: bool = False

    def whole(self) -> bool:
        """Read the input, and tell whether all of it came: half of it must not run."""
        text = "".join(self.pieces)
        if self.given is None:
            try:
                self.given = json.loads(text) if text.strip() else {}
            except (ValueError, RecursionError):
                return False
        return self.ended

    def available(self) -> Chunk:
        """Return the chunk that makes the client run the call."""
        value = {"toolCallId": self.id, "toolName": self.name, "input": self.given}
        return {"type": "CUSTOM", "name": _AVAILABLE, "value": value}


def _interrupts(chunk: Chunk) -> list[str]:
    """Return the ids of the calls that a run's end asks the client about."""
    outcome = chunk.get("outcome")
    asked = outcome.get("interrupts") if isinstance(outcome, Mapping) else None
    if not isinstance(asked, list):
        return []
    calls = [interrupt.get("toolCallId") for interrupt in asked if isinstance(interrupt, Mapping)]
    return [call for call in calls if isinstance(call, str)]
