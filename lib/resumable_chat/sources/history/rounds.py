"""The conversation as turns: what the system and the user said, and the rounds of the model.

A round is what a model sends in one response: thoughts, text, then calls, each with its result. An assistant's message
holds several rounds if its tools ran in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from ..surrogates import repair
from .parts import Part, plain_text, read_content, read_parts

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a surrogate pair, escaped: whole JSON for Python, refused by others."""


class CallState(Enum):
    """How far a call came."""

    DONE = "done"
    """It has a result."""
    INTERRUPTED = "interrupted"
    """It has none, and nobody answered for it."""
    DENIED = "denied"
    """The user did not allow it."""
    APPROVED = "approved"
    """The user allowed it; it has not run."""


NO_RESULT: Final = {
    CallState.INTERRUPTED: "The call was interrupted before it had a result.",
    CallState.DENIED: "The user denied this call.",
    CallState.APPROVED: "The user approved this call, but it did not run.",
}


@dataclass(slots=True)
class Call:
    """A tool call. ``arguments`` is the text of whole JSON; ``result`` is the tool's output, as it was given."""

    id: str
    name: str
    arguments: str
    state: CallState = CallState.INTERRUPTED
    result: Any = None
    failed: bool = False
    reason: str | None = None

    def answer(self, result: Any, *, failed: bool) -> None:
        """Take the call's result."""
        self.state, self.result, self.failed = CallState.DONE, result, failed

    def result_text(self) -> str:
        """Return the result as text, or JSON that says why the call has no result."""
        if self.state is not CallState.DONE:
            told = NO_RESULT[self.state] + (f" Reason: {self.reason}" if self.reason else "")
            return json.dumps({"error": told}, ensure_ascii=False)
        if isinstance(self.result, str):
            return repair(self.result)
        parts = read_content(self.result)
        if isinstance(self.result, list) and parts and len(parts) == len(self.result):
            return plain_text(parts)
        return to_json(self.result)


@dataclass(slots=True)
class Thought:
    """Reasoning. A signed thought without text is one that the provider encrypted whole."""

    text: str
    signature: str | None = None


@dataclass(slots=True)
class Round:
    """One response of the model. ``message_id`` is the message that it is a part of."""

    message_id: str | None = None
    thoughts: list[Thought] = field(default_factory=list)
    text: str = ""
    calls: list[Call] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send: thoughts alone are nothing."""
        return not self.text.strip() and not self.calls


@dataclass(slots=True)
class System:
    """An instruction."""

    text: str
    message_id: str | None = None


@dataclass(slots=True)
class User:
    """What the user said."""

    parts: list[Part]
    message_id: str | None = None


Turn = System | User | Round


def read_turns(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Return the turns of a conversation. Empty turns, and results whose call is missing, are left out."""
    turns: list[Turn] = []
    for message in messages:
        role = message.get("role")
        message_id = _string(message.get("id"))
        if role in ("system", "developer"):
            turns.append(System(plain_text(read_parts(message)), message_id))
        elif role == "user":
            turns.append(User(read_parts(message), message_id))
        elif role == "assistant":
            turns += _read_rounds(message, message_id, turns)
        elif role == "tool":
            failed = bool(message.get("error"))
            result = message.get("content") or (message["error"] if failed else "")
            _answer(turns, message.get("toolCallId"), result, failed=failed)
    for turn in turns:
        if isinstance(turn, Round):
            turn.text = repair(turn.text)
    return [turn for turn in turns if not _is_empty(turn)]


def to_json(value: Any) -> str:
    """Return a value as JSON text that any server takes; what JSON cannot hold becomes null or its text."""
    try:
        return repair(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str))
    except (ValueError, TypeError, RecursionError):
        return repair(json.dumps(_plain(value, 64), ensure_ascii=False))


def _read_rounds(message: Mapping[str, Any], message_id: str | None, before: Sequence[Turn]) -> list[Turn]:
    rounds: list[Turn] = []
    current = Round(message_id)
    answered = False
    for part in _parts(message):
        kind = part.get("type")
        if kind == "tool-result":
            error = part.get("error")
            failed = part.get("state") == "error" or bool(error)
            result = part.get("content") or error or ""
            _answer([*before, *rounds, current], part.get("toolCallId"), result, failed=failed)
            answered = True
            continue
        begins_round = bool(current.calls) and (kind in ("text", "thinking", "structured-output") or answered)
        if begins_round and (kind == "tool-call" or _text_of(part)):
            rounds.append(current)
            current, answered = Round(message_id), False
        if kind == "thinking":
            current.thoughts.append(Thought(repair(_text_of(part)), _string(part.get("signature"))))
        elif kind == "tool-call":
            _add_call(current, _call_of_part(part))
        else:
            current.text += _text_of(part)
    for call in message["toolCalls"] if isinstance(message.get("toolCalls"), list) else ():
        _add_call(current, _call_of_row(call))
    return [*rounds, current]


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = message.get("parts")
    if not isinstance(parts, list):
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "content": content}]
    return [part for part in parts if isinstance(part, Mapping)]


def _text_of(part: Mapping[str, Any]) -> str:
    kind = part.get("type")
    if kind in ("text", "thinking"):
        text = part.get("content", part.get("text"))
    elif kind == "structured-output":
        text = part.get("raw") or (to_json(part["data"]) if part.get("data") is not None else "")
    else:
        text = ""
    return text if isinstance(text, str) else ""


def _call_of_part(part: Mapping[str, Any]) -> Call | None:
    call_id = _string(part.get("id"))
    if call_id is None:
        return None
    arguments = part.get("arguments")
    call = Call(call_id, _string(part.get("name")) or "unknown", whole_json(arguments or part.get("input")))
    approval = part.get("approval")
    if "output" in part:
        call.answer(part["output"], failed=part.get("state") == "error")
    elif isinstance(approval, Mapping) and isinstance(approval.get("approved"), bool):
        call.state = CallState.APPROVED if approval["approved"] else CallState.DENIED
        call.reason = _string(approval.get("reason"))
    return call


def _call_of_row(row: Any) -> Call | None:
    function = row.get("function") if isinstance(row, Mapping) else None
    call_id = _string(row.get("id")) if isinstance(row, Mapping) else None
    if not isinstance(function, Mapping) or call_id is None:
        return None
    return Call(call_id, _string(function.get("name")) or "unknown", whole_json(function.get("arguments")))


def _add_call(current: Round, call: Call | None) -> None:
    if call is not None and all(other.id != call.id for other in current.calls):
        current.calls.append(call)


def whole_json(arguments: Any) -> str:
    """Return arguments as JSON text: ``{}`` for those that a stop cut off, which servers refuse."""
    if arguments is None or arguments == "":
        return "{}"
    if not isinstance(arguments, str):
        return to_json(arguments)
    try:
        value = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "{}"
    return to_json(value) if _SURROGATE.search(arguments) else repair(arguments)


def _answer(turns: Iterable[Turn], call_id: Any, result: Any, *, failed: bool) -> None:
    """Give a result to the last call with its id: ids such as ``call_0`` come again in later messages."""
    call_id = _string(call_id)
    for turn in reversed(list(turns)):
        if isinstance(turn, Round):
            for call in turn.calls:
                if call.id == call_id:
                    call.answer(result, failed=failed)
                    return


def _is_empty(turn: Turn) -> bool:
    if isinstance(turn, Round):
        return turn.empty
    return not turn.parts if isinstance(turn, User) else not turn.text


def _string(value: Any) -> str | None:
    return repair(value) if isinstance(value, str) and value else None


def _plain(value: Any, depth: int) -> Any:
    """Return a value with what JSON cannot hold replaced, and cut at a depth that parsers take."""
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
