"""Which tool call a fragment belongs to: servers number, name and cut them in their own ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import SourceError
from ..surrogates import repair
from .json_values import compact

MAX_CALLS: Final = 256


@dataclass(slots=True)
class Call:
    """One tool call, as far as it came. ``started`` says that its START was emitted."""

    id: str
    index: int | None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    started: bool = False

    @property
    def arguments(self) -> str:
        """The text of the arguments so far."""
        return "".join(self.pieces)


class ToolCalls:
    """Assigns fragments to calls: by id, then by index, then to the last call.

    ``prefix`` begins the ids of calls that came without one.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._by_id: dict[str, Call] = {}
        self._all: list[Call] = []

    def __iter__(self) -> Iterator[Call]:
        return iter(self._all)

    def feed(self, fragment: Mapping[str, Any], position: int | None = None) -> tuple[Call, str]:
        """Return the fragment's call, and the piece that it adds to the call's arguments.

        ``position`` is its place in a list of several, which stands for an index that is missing.
        """
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else fragment
        name = _string(function.get("name"))
        piece = function.get("arguments")
        if piece is None:
            piece = function.get("input", function.get("parameters") if function is not fragment else None)
        if not isinstance(piece, str):
            piece = "" if piece is None else compact(piece)
        given = _string(fragment.get("id"))
        index = _index(fragment.get("index"))
        call = self._find(given, position if index is None else index, name, piece)
        if call is None:
            call = self._new(given, position if index is None else index)
        if not call.started:
            call.name = _longer(call.name, name)
        if piece:
            call.pieces.append(piece)
        return call, piece

    def _find(self, given: str, index: int | None, name: str, piece: str) -> Call | None:
        if given in self._by_id:
            return self._by_id[given]
        if index is None:
            call = self._all[-1] if self._all else None
        else:
            call = next((call for call in reversed(self._all) if call.index == index), None)
        if call is None:
            return None
        if given:
            # Some servers make up an id for every fragment; only the first has the name.
            return None if name or index is None else call
        return None if name and _begins_another(call, name, piece, numbered=index is not None) else call

    def _new(self, given: str, index: int | None) -> Call:
        if len(self._all) >= MAX_CALLS:
            raise SourceError(f"the model's server sent over {MAX_CALLS} tool calls in one answer")
        call = Call(given or f"{self._prefix}-{len(self._all)}", index)
        if given:
            self._by_id[given] = call
        self._all.append(call)
        return call


def _begins_another(call: Call, name: str, piece: str, *, numbered: bool) -> bool:
    """Tell a new call without an id from a fragment that repeats, or completes, the name of the one before."""
    if not call.name:
        return False
    if call.pieces:
        return (name != call.name or bool(piece.strip())) and _is_whole(call.arguments)
    return not numbered and name != call.name and not name.startswith(call.name)


def _is_whole(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


def _longer(known: str, name: str) -> str:
    """Join the pieces of a name; servers send it again, whole so far, or piece by piece."""
    if not name or name == known:
        return known
    return name if name.startswith(known) else known + name


def _index(value: Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return int(value) if type(value) is float and value.is_integer() else None


def _string(value: Any) -> str:
    return repair(value) if isinstance(value, str) else ""
