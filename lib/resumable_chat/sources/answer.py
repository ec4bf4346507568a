"""The AG-UI events of one answer, with the START and END of each part: what the sources for model servers emit.

TanStack AI takes a thought's bounds from STEP_STARTED and STEP_FINISHED, AG-UI clients from REASONING_*; each ignores
the other's, so both are emitted.
"""

from __future__ import annotations

from typing import Any

from .surrogates import SurrogateJoiner, repair

Chunk = dict[str, Any]


class Answer:
    """Writes one assistant message. Each method returns the chunks that its event adds.

    Reasoning ends by itself when something else begins; tool calls may overlap.
    """

    def __init__(self, *, run_id: str, thread_id: str, message_id: str) -> None:
        self._run = {"runId": run_id, "threadId": thread_id}
        self._first_id = message_id
        self._message_id = message_id
        self._messages = 1
        self._thoughts = 0
        self._thought: str | None = None
        self._joiner = SurrogateJoiner()
        self._calls: dict[str, SurrogateJoiner] = {}
        self._has_text = False
        self._thought_after_text = False

    @property
    def message_id(self) -> str:
        """The id of the message that text is added to now."""
        return self._message_id

    def begin(self) -> list[Chunk]:
        """Start the run and its message."""
        return [{"type": "RUN_STARTED", **self._run}, self._message_start()]

    def text(self, delta: str) -> list[Chunk]:
        """Add to the text."""
        out: list[Chunk] = []
        if self._thought is not None:
            out += self.end_reasoning()
        if self._thought_after_text:
            out += self._next_message()
        delta = self._joiner.feed(delta)
        if delta:
            self._has_text = True
            out.append({"type": "TEXT_MESSAGE_CONTENT", "messageId": self._message_id, "delta": delta})
        return out

    def reasoning(self, delta: str) -> list[Chunk]:
        """Add to the current thought, or begin one."""
        out = self._begin_thought()
        delta = self._joiner.feed(delta)
        if delta:
            out.append({"type": "REASONING_MESSAGE_CONTENT", "messageId": self._thought, "delta": delta})
        return out

    def signature(self, value: str) -> list[Chunk]:
        """Add the provider's signature of the current thought; without one, a thought that is encrypted whole."""
        out = self._begin_thought()
        out.append(
            {
                "type": "REASONING_ENCRYPTED_VALUE",
                "subtype": "message",
                "entityId": self._thought,
                "encryptedValue": repair(value),
            }
        )
        return out

    def end_reasoning(self) -> list[Chunk]:
        """End the current thought, if one is open."""
        if self._thought is None:
            return []
        thought, self._thought = self._thought, None
        out: list[Chunk] = []
        left = self._joiner.end()
        if left:
            out.append({"type": "REASONING_MESSAGE_CONTENT", "messageId": thought, "delta": left})
        return [
            *out,
            {"type": "REASONING_MESSAGE_END", "messageId": thought},
            {"type": "REASONING_END", "messageId": thought},
            {"type": "STEP_FINISHED", "stepName": thought},
        ]

    def start_call(self, call_id: str, name: str) -> list[Chunk]:
        """Begin a tool call."""
        out = self._settle()
        self._calls[call_id] = SurrogateJoiner()
        # A tool call opens a new piece of text in clients by itself.
        self._has_text = self._thought_after_text = False
        out.append(
            {
                "type": "TOOL_CALL_START",
                "toolCallId": call_id,
                "toolCallName": repair(name),
                "parentMessageId": self._message_id,
            }
        )
        return out

    def call_arguments(self, call_id: str, delta: str) -> list[Chunk]:
        """Add to an open call's arguments, which are JSON text."""
        delta = self._calls[call_id].feed(delta)
        return [_arguments(call_id, delta)] if delta else []

    def end_call(self, call_id: str) -> list[Chunk]:
        """End a call that is open."""
        left = self._calls.pop(call_id).end()
        out = [_arguments(call_id, left)] if left else []
        return [*out, {"type": "TOOL_CALL_END", "toolCallId": call_id}]

    def close(self) -> list[Chunk]:
        """End all parts that are open, and the message."""
        out = self._settle()
        for call_id in list(self._calls):
            out += self.end_call(call_id)
        return [*out, {"type": "TEXT_MESSAGE_END", "messageId": self._message_id}]

    def finish(self, reason: str, usage: dict[str, Any] | None = None, **more: Any) -> list[Chunk]:
        """End the message and the run, for the provider's reason."""
        finished = {"type": "RUN_FINISHED", **self._run, "finishReason": repair(reason), **more}
        if usage is not None:
            finished["usage"] = usage
        return [*self.close(), finished]

    def _begin_thought(self) -> list[Chunk]:
        if self._thought is not None:
            return []
        out = self._settle()
        self._thoughts += 1
        self._thought = f"think-{self._first_id}" + (f"-{self._thoughts}" if self._thoughts > 1 else "")
        self._thought_after_text = self._has_text
        return [
            *out,
            {"type": "STEP_STARTED", "stepName": self._thought},
            {"type": "REASONING_START", "messageId": self._thought},
            {"type": "REASONING_MESSAGE_START", "messageId": self._thought, "role": "reasoning"},
        ]

    def _settle(self) -> list[Chunk]:
        """End the thought, and the half character of the text, before something else begins."""
        out = self.end_reasoning()
        left = self._joiner.end()
        if left:
            out.append({"type": "TEXT_MESSAGE_CONTENT", "messageId": self._message_id, "delta": left})
        return out

    def _next_message(self) -> list[Chunk]:
        """Go on in a message of its own.

        TanStack's StreamProcessor repeats the text before a thought in the text after it, if both are in one message.
        """
        ended = self._message_id
        self._messages += 1
        self._message_id = f"{self._first_id}-{self._messages}"
        self._has_text = self._thought_after_text = False
        return [{"type": "TEXT_MESSAGE_END", "messageId": ended}, self._message_start()]

    def _message_start(self) -> Chunk:
        return {"type": "TEXT_MESSAGE_START", "messageId": self._message_id, "role": "assistant"}


def _arguments(call_id: str, delta: str) -> Chunk:
    return {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta}
