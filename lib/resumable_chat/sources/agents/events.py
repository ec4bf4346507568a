"""A decoder of pydantic-ai's native events, pure: events in, AG-UI chunks out.

Events and parts are told apart by their ``event_kind`` and ``part_kind``, so that nothing is imported here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from ..answer import Answer, Chunk

logger = logging.getLogger(__name__)

_GENERATED: Final = "pyd_ai_"
"""Begins the ids that pydantic-ai makes up, at random, for calls without one."""

_FAILED: Final = {
    "failed": "The tool failed.",
    "retried": "The tool could not be called like this.",
    "interrupted": "The call was interrupted before it had a result.",
}
"""Public texts for calls without a result. The real text may hold anything, so only the log gets it."""


class AgentEvents:
    """Turns the events of one agent's run into chunks.

    ``structured_text`` says that the agent's text is its structured output.
    """

    def __init__(self, answer: Answer, *, structured_text: bool = False) -> None:
        self._answer = answer
        self._structured_text = structured_text
        self._ids: dict[str, str] = {}
        self._used: set[str] = set()
        self._waiting: _Call | None = None
        self._open: dict[int, _Call] = {}
        self._structured = False
        self._raw: list[str] = []
        self._signed = False

    def call_id(self, theirs: str) -> str:
        """Return our id of a call: theirs, unless it was made up or is not the first of its name."""
        return self._ids.get(theirs, theirs)

    def feed(self, event: Any) -> list[Chunk]:
        """Return the chunks that an event adds."""
        kind = event.event_kind
        out: list[Chunk] = []
        if kind == "final_result":
            if self._waiting is not None and event.tool_call_id == self._waiting.theirs:
                waiting, self._waiting = self._waiting, None
                waiting.output = True
                out += self._begin_structured()
                return out + self._add_structured(waiting.arguments)
            return out
        if kind == "part_delta":
            return self._delta(event.index, event.delta)
        out += self._settle()
        if kind == "part_start":
            out += self._start(event.index, event.part)
        elif kind == "part_end" and event.part.part_kind == "thinking":
            out += self._sign(event.part.signature) + self._answer.end_reasoning()
        elif kind == "function_tool_call":
            out += self._end_call(event.part)
        elif kind == "function_tool_result":
            out += self._result(getattr(event, "part", None) or event.result)
        return out

    def complete(self, output: Any) -> list[Chunk]:
        """Return the chunks that complete a structured answer, as plain JSON."""
        out = self._settle()
        if not self._structured:
            return out
        value = {"messageId": self._answer.message_id, "raw": "".join(self._raw), "object": output}
        return [*out, {"type": "CUSTOM", "name": "structured-output.complete", "value": value}]

    def _start(self, index: int, part: Any) -> list[Chunk]:
        kind = part.part_kind
        if kind == "text":
            return self._text(part.content)
        if kind == "thinking":
            self._signed = False
            out = self._answer.reasoning(part.content) if part.content else []
            return out + self._sign(part.signature)
        if kind.endswith("tool-call"):
            call = _Call(part.tool_call_id, part.tool_name, _arguments(part.args))
            self._open[index] = self._waiting = call
            return []
        return self._result(part) if kind.endswith("tool-return") else []

    def _delta(self, index: int, delta: Any) -> list[Chunk]:
        kind = delta.part_delta_kind
        if kind == "text":
            return self._text(delta.content_delta)
        if kind == "thinking":
            out = self._answer.reasoning(delta.content_delta) if delta.content_delta else []
            return out + self._sign(delta.signature_delta)
        call = self._open.get(index)
        if call is None:
            return []
        if delta.tool_name_delta and not call.started:
            call.name += delta.tool_name_delta
        piece = _arguments(delta.args_delta)
        if not piece:
            return []
        call.sent = True
        if call.output:
            return self._add_structured(piece)
        return self._settle() + self._answer.call_arguments(call.ours, piece)

    def _end_call(self, part: Any) -> list[Chunk]:
        """End a call when it is made: the end of its part may come before the last of its arguments."""
        index = next((index for index, call in self._open.items() if call.theirs == part.tool_call_id), None)
        if index is None:
            return []
        call = self._open.pop(index)
        out = [] if call.sent else self._answer.call_arguments(call.ours, _arguments(part.args))
        return out + self._answer.end_call(call.ours)

    def _settle(self) -> list[Chunk]:
        """Start the call that waits: only the event behind its start tells whether it is the structured answer."""
        call, self._waiting = self._waiting, None
        if call is None:
            return []
        call.started = True
        call.ours = self._new_id(call.theirs)
        out = self._answer.start_call(call.ours, call.name)
        return out + self._answer.call_arguments(call.ours, call.arguments)

    def _new_id(self, theirs: str) -> str:
        number = len(self._used) + 1
        made_up = theirs.startswith(_GENERATED) or theirs in self._used
        ours = f"call-{self._answer.message_id}-{number}" if made_up else theirs
        self._ids[theirs] = ours
        self._used.add(ours)
        return ours

    def _sign(self, signature: Any) -> list[Chunk]:
        if not isinstance(signature, str) or not signature or self._signed:
            return []
        self._signed = True
        return self._answer.signature(signature)

    def _text(self, text: str) -> list[Chunk]:
        if not text:
            return []
        if not self._structured_text:
            return self._answer.text(text)
        return self._begin_structured() + self._add_structured(text)

    def _begin_structured(self) -> list[Chunk]:
        if self._structured:
            return []
        self._structured = True
        value = {"messageId": self._answer.message_id}
        return [{"type": "CUSTOM", "name": "structured-output.start", "value": value}]

    def _add_structured(self, piece: str) -> list[Chunk]:
        self._raw.append(piece)
        return self._answer.text(piece) if piece else []

    def _result(self, part: Any) -> list[Chunk]:
        call_id = self.call_id(part.tool_call_id)
        outcome = "retried" if part.part_kind == "retry-prompt" else getattr(part, "outcome", "success")
        chunk: Chunk = {"type": "TOOL_CALL_RESULT", "messageId": f"result-{call_id}", "toolCallId": call_id}
        if outcome in _FAILED:
            logger.info("the call %s of %s has no result (%s): %.500s", call_id, part.tool_name, outcome, part.content)
            return [{**chunk, "content": json.dumps({"error": _FAILED[outcome]}), "state": "output-error"}]
        return [{**chunk, "content": part.model_response_str()}]


class _Call:
    """A call that is being streamed."""

    def __init__(self, theirs: str, name: str, arguments: str) -> None:
        self.theirs = theirs
        self.ours = theirs
        self.name = name
        self.arguments = arguments
        self.started = False
        self.output = False
        self.sent = bool(arguments)


def _arguments(arguments: Any) -> str:
    """Return arguments, or a piece of them, as JSON text."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def interrupts(requests: Any, events: AgentEvents) -> list[dict[str, Any]]:
    """Return the interrupts that ask the user to approve the calls of pydantic-ai's DeferredToolRequests."""
    asked = []
    for part in requests.approvals:
        call_id = events.call_id(part.tool_call_id)
        given: Mapping[str, Any] = requests.metadata.get(part.tool_call_id, {})
        asked.append(
            {
                "id": approval_id(call_id),
                "reason": "tool_call",
                "toolCallId": call_id,
                "metadata": {**given, "kind": "approval"},
            }
        )
    return asked


def approval_id(call_id: str) -> str:
    """Return the id of the interrupt that asks for a call's approval."""
    return f"approval-{call_id}"
