"""A pure decoder of streamed chat completions: events in, AG-UI chunks out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..answer import Answer, Chunk
from ..errors import SourceError
from ..sse import Event
from .content import read_content
from .failures import failure_of, text_of
from .json_values import parse
from .tool_calls import Call, ToolCalls
from .usage import read_usage

_FINISH_REASONS: Final = {
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "completed": "stop",
    "safety": "content_filter",
    "refusal": "content_filter",
    "recitation": "content_filter",
}
_FAILED: Final = frozenset({"error", "failed"})


class Completion:
    """Reads one completion. ``whole`` says that the protocol's end came, ``done`` that nothing will follow it."""

    def __init__(self, answer: Answer) -> None:
        self.whole = False
        self.done = False
        self._answer = answer
        self._calls = ToolCalls(f"call-{answer.message_id}")
        self._streamed = False
        self._reason = "stop"
        self._usage: dict[str, Any] | None = None

    def feed(self, event: Event) -> list[Chunk]:
        """Return the chunks that an event adds. Raises SourceError with the server's text if it reports a failure."""
        data = event.data.strip()
        if not data or self.done:
            return []
        if data == b"[DONE]":
            self.whole = self.done = True
            return []
        try:
            payload = parse(data)
        except ValueError:
            text = data[:500].decode("utf-8", "replace")
            kind = "reported an error" if event.type == "error" else "sent an event that is not JSON"
            raise SourceError(f"the model's server {kind}: {text}") from None
        failure = text_of(payload) if event.type == "error" else failure_of(payload)
        if failure is not None:
            raise SourceError(f"the model's server reported an error: {failure}")
        return self._payload(payload) if isinstance(payload, dict) else []

    def finish(self) -> list[Chunk]:
        """Return the chunks that end the answer."""
        return self._start_up_to(None) + self._answer.finish(self._reason, self._usage)

    def _payload(self, payload: dict[str, Any]) -> list[Chunk]:
        choice = _choice(payload.get("choices"))
        usage = read_usage(payload, choice)
        if usage is not None:
            self._usage = usage
        if choice is None:
            return []
        reason = choice.get("finish_reason")
        if choice.get("error") or (isinstance(reason, str) and reason.lower() in _FAILED):
            text = text_of(choice.get("error") or choice.get("message") or f"finish_reason {reason}")
            raise SourceError(f"the model's server reported an error: {text}")
        out = self._choice(choice)
        if isinstance(reason, str) and reason:
            self.whole = True
            reason = reason.lower()
            self._reason = _FINISH_REASONS.get(reason, reason)
        return out

    def _choice(self, choice: Mapping[str, Any]) -> list[Chunk]:
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta:
            self._streamed = True
            return self._delta(delta)
        message = choice.get("message")
        if isinstance(message, dict) and not self._streamed:
            return self._delta(message)
        if isinstance(choice.get("text"), str):
            return self._answer.text(choice["text"]) if choice["text"] else []
        return []

    def _delta(self, delta: Mapping[str, Any]) -> list[Chunk]:
        text, reasoning, signature = read_content(delta)
        if text and len(delta) == 1:
            return self._answer.text(text)
        out: list[Chunk] = []
        if reasoning:
            out += self._answer.reasoning(reasoning)
        if signature:
            out += self._answer.signature(signature)
        if text:
            out += self._answer.text(text)
        calls = delta.get("tool_calls")
        if isinstance(calls, Mapping):
            calls = [calls]
        if isinstance(calls, list) and calls:
            for position, fragment in enumerate(calls):
                if isinstance(fragment, Mapping):
                    out += self._fragment(fragment, position if len(calls) > 1 else None)
        function = delta.get("function_call")
        if isinstance(function, Mapping) and not calls:
            out += self._fragment({"function": function}, None)
        return out

    def _fragment(self, fragment: Mapping[str, Any], position: int | None) -> list[Chunk]:
        call, piece = self._calls.feed(fragment, position)
        if call.started:
            return self._answer.call_arguments(call.id, piece) if piece else []
        # A name may come late, or in pieces; with the first of its arguments it is there.
        return self._start_up_to(call) if call.name and call.pieces else []

    def _start_up_to(self, last: Call | None) -> list[Chunk]:
        """Start the calls that wait, in their order, up to one of them or (None) all, also those without a name."""
        out: list[Chunk] = []
        for call in self._calls:
            if not call.started and (call.name or last is None):
                call.started = True
                out += self._answer.start_call(call.id, call.name or "unknown")
                out += self._answer.call_arguments(call.id, call.arguments)
            if call is last:
                break
        return out


def _choice(choices: Any) -> Mapping[str, Any] | None:
    """Return the first choice; with ``n`` over 1 the others are alternatives, not parts, of the answer."""
    if isinstance(choices, Mapping):
        choices = [choices]
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (0, None, "0"):
            return choice
    return None
