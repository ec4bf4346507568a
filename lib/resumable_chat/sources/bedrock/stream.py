"""A pure decoder of Bedrock's converse stream: its events in, AG-UI chunks out.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html has the events.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from ..answer import Answer, Chunk
from ..errors import SourceError
from ..surrogates import repair
from .errors import BedrockError

_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED: Final = frozenset({"malformed_model_output", "malformed_tool_use"})


class ConverseAnswer:
    """Reads one answer. ``whole`` says that messageStop came: without it, the stream was cut."""

    def __init__(self, answer: Answer) -> None:
        self.whole = False
        self.done = False
        """Nothing follows the metadata, which is the last event."""
        self._answer = answer
        self._calls: dict[int, str] = {}
        self._call_ids: set[str] = set()
        self._reason = "stop"
        self._usage: dict[str, Any] | None = None

    def feed(self, event: Mapping[str, Any]) -> list[Chunk]:
        """Return the chunks that an event adds. Raises BedrockError if it is an exception."""
        for kind, value in event.items():
            if kind.endswith("Exception"):
                message = value.get("message") or value.get("originalMessage") if isinstance(value, Mapping) else value
                raise BedrockError(kind[:1].upper() + kind[1:], str(message or "no details"))
            if not isinstance(value, Mapping):
                continue
            if kind == "contentBlockDelta":
                delta = value.get("delta")
                return self._delta(_index(value), delta) if isinstance(delta, Mapping) else []
            if kind == "contentBlockStart":
                return self._start(_index(value), value.get("start"))
            if kind == "contentBlockStop":
                return self._stop(_index(value))
            if kind == "messageStop":
                self._finish(value.get("stopReason"))
            elif kind == "metadata":
                self._usage = _usage(value.get("usage"))
                self.done = self.whole
        return []

    def finish(self) -> list[Chunk]:
        """Return the chunks that end the answer. Raises SourceError if it is not whole."""
        if not self.whole:
            raise SourceError("Bedrock broke off in the middle of its answer: the stream has no messageStop")
        return self._answer.finish(self._reason, self._usage)

    def _start(self, index: int, start: Any) -> list[Chunk]:
        tool = start.get("toolUse") if isinstance(start, Mapping) else None
        if not isinstance(tool, Mapping):
            return []
        call_id = repair(str(tool.get("toolUseId") or f"call-{self._answer.message_id}-{index}"))
        while call_id in self._call_ids:
            call_id += "-2"
        self._call_ids.add(call_id)
        self._calls[index] = call_id
        return self._answer.start_call(call_id, str(tool.get("name") or "unknown"))

    def _delta(self, index: int, delta: Mapping[str, Any]) -> list[Chunk]:
        out: list[Chunk] = []
        text = delta.get("text")
        if isinstance(text, str) and text:
            out += self._answer.text(text)
        thought = delta.get("reasoningContent")
        if isinstance(thought, Mapping):
            out += self._reasoning(thought)
        tool = delta.get("toolUse")
        if isinstance(tool, Mapping) and isinstance(tool.get("input"), str):
            if index not in self._calls:
                out += self._start(index, {"toolUse": tool})
            out += self._answer.call_arguments(self._calls[index], tool["input"])
        return out

    def _reasoning(self, thought: Mapping[str, Any]) -> list[Chunk]:
        text, signature, redacted = (thought.get(key) for key in ("text", "signature", "redactedContent"))
        out: list[Chunk] = []
        if isinstance(text, str) and text:
            out += self._answer.reasoning(text)
        if isinstance(signature, str) and signature:
            out += self._answer.signature(signature)
        if redacted:
            data = redacted if isinstance(redacted, bytes) else str(redacted).encode()
            # A thought of its own: signed, and without text.
            out += self._answer.end_reasoning()
            out += self._answer.signature(base64.b64encode(data).decode())
        return out

    def _stop(self, index: int) -> list[Chunk]:
        call_id = self._calls.pop(index, None)
        return self._answer.end_reasoning() if call_id is None else self._answer.end_call(call_id)

    def _finish(self, reason: Any) -> None:
        if isinstance(reason, str) and reason in _MALFORMED:
            raise SourceError(f"the model's output cannot be used: Bedrock stopped it with {reason}")
        self.whole = True
        if isinstance(reason, str) and reason:
            self._reason = _REASONS.get(reason, reason)


def _index(value: Mapping[str, Any]) -> int:
    index = value.get("contentBlockIndex")
    return index if type(index) is int else 0


def _usage(usage: Any) -> dict[str, Any] | None:
    if not isinstance(usage, Mapping):
        return None
    prompt, completion, total, cached = (
        usage[key] if type(usage.get(key)) is int else None
        for key in ("inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens")
    )
    counts: dict[str, Any] = {
        "promptTokens": prompt or 0,
        "completionTokens": completion or 0,
        "totalTokens": (prompt or 0) + (completion or 0) if total is None else total,
    }
    return counts if cached is None else {**counts, "promptTokensDetails": {"cachedTokens": cached}}
