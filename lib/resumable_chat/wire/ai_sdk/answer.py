"""One answer of the log as UI message chunks of the AI SDK (protocol "UI message stream v1", valid in v6 and v7).

The client throws at a delta without its start, at a result without its call, and at any chunk type that it does not
know. So every part is opened and closed here, whatever the log holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...protocol.chunks import Chunk
from ...protocol.open_parts import METADATA
from ...protocol.outcomes import DEFAULT_ERROR, Ending, Outcome
from ...transcript.js import added_text, blank
from ...transcript.values import MISSING, record, restored
from ...view.generation import ChunkRead, interrupts_of
from .calls import Calls
from .frames import UIChunk
from .message import OpenMessage

_REASONS: Final = {"stop": "stop", "length": "length", "content_filter": "content-filter", "tool_calls": "tool-calls"}
"""Finish reasons that both versions know. Any other becomes "other"."""


def end_of(ending: Ending, metadata: dict[str, Any] | None, *, in_step: bool) -> list[UIChunk]:
    """Return the UI chunks that say how an answer ended. ``metadata`` are those that its message gets with them."""
    if ending.outcome is Outcome.FINISHED:
        reason = "stop" if ending.finish_reason is None else _REASONS.get(ending.finish_reason, "other")
        finish: UIChunk = {"type": "finish", "finishReason": reason}
        return [
            *([{"type": "finish-step"}] if in_step else []),
            finish if metadata is None else {**finish, "messageMetadata": metadata},
        ]
    stopped = ending.outcome is Outcome.STOPPED
    return [
        *([] if metadata is None else [{"type": "message-metadata", "messageMetadata": metadata}]),
        {"type": "abort"} if stopped else {"type": "error", "errorText": ending.error or DEFAULT_ERROR},
    ]


class Answer:
    """Translates the chunks of one generation, in order. Nothing that a chunk holds makes it raise.

    ``continues`` is the id of the assistant message that the client adds this answer to, and ``known_calls`` the ids
    of the tool calls in it. Without it the answer is a message of its own.
    """

    def __init__(self, continues: str | None = None, known_calls: Iterable[str] = ()) -> None:
        self._message = OpenMessage(continues)
        self._calls = Calls(known_calls)
        self._asked: set[str] = set()
        self._signature: str | None = None
        self._run: dict[str, Any] | None = None

    def feed(self, read: ChunkRead) -> list[UIChunk]:
        """Return the UI chunks for the next chunk of the answer."""
        handle = _HANDLERS.get(read.chunk["type"])
        if handle is not None:
            handle(self, restored(read.chunk), read.seq_num)
        return self._message.take()

    def end(self, ending: Ending) -> list[UIChunk]:
        """Return the UI chunks that close what is open and say how the answer ended. Call this once."""
        message = self._message
        message.close()
        for shown in self._calls.end_all():
            message.show(shown)
        message.settle(failed=ending.failed)
        told = {METADATA: {"run": self._run}} if self._run is not None and message.exists else None
        return [*message.take(), *end_of(ending, told, in_step=message.announced)]

    # --- Text -------------------------------------------------------------------------------------------------

    def _text_started(self, chunk: Chunk, seq_num: int) -> None:
        message_id = chunk.get("messageId")
        if not isinstance(message_id, str) or not message_id:
            return
        if chunk.get("role") in ("user", "system"):
            self._asked.add(message_id)
            return
        self._message.begin(message_id)
        self._metadata(chunk)

    def _text(self, chunk: Chunk, seq_num: int) -> None:
        if chunk.get("messageId") in self._asked:
            return
        self._ensure_message(chunk.get("messageId"), seq_num)
        self._metadata(chunk)
        delta = added_text(chunk.get("delta"))
        if delta:
            self._message.delta("text", delta, is_blank=blank(delta), calls_are_open=self._calls.any_open)

    def _text_ended(self, chunk: Chunk, seq_num: int) -> None:
        """Take the metadata. The text stays open, because more of it would go into the same part."""
        if self._message.holds(chunk.get("messageId")):
            self._metadata(chunk)

    def _metadata(self, chunk: Chunk) -> None:
        metadata = chunk.get("metadata")
        if type(metadata) is not dict:
            return
        run = record(metadata.get(METADATA)).get("run")
        if type(run) is dict:
            self._run = run
        others = {key: value for key, value in metadata.items() if key != METADATA}
        if others:
            self._message.add({"type": "message-metadata", "messageMetadata": others})

    def _ensure_message(self, named: Any, seq_num: int) -> None:
        """Begin a message for a chunk that comes without one, under the id that the fold gives it."""
        if not self._message.has_begun:
            self._message.begin(named if isinstance(named, str) and named else f"msg-{seq_num}")

    # --- Reasoning --------------------------------------------------------------------------------------------

    def _reasoning(self, chunk: Chunk, seq_num: int) -> None:
        self._ensure_message(None, seq_num)
        delta = added_text(chunk.get("delta"))
        if delta:
            self._message.delta("reasoning", delta, is_blank=False, calls_are_open=self._calls.any_open)

    def _reasoning_ended(self, chunk: Chunk, seq_num: int) -> None:
        signature = chunk.get("signature")
        if isinstance(signature, str) and signature:
            self._signature = signature
        if self._message.is_open("reasoning"):
            self._message.close(signature=self._signature)
        self._signature = None

    def _encrypted(self, chunk: Chunk, seq_num: int) -> None:
        value = chunk.get("encryptedValue")
        if not isinstance(value, str) or not value:
            return
        if chunk.get("subtype") == "tool-call":
            self._calls.sign(chunk.get("entityId"), value)
        elif self._message.is_open("reasoning"):
            self._signature = value

    # --- Tools ------------------------------------------------------------------------------------------------

    def _call_started(self, chunk: Chunk, seq_num: int) -> None:
        if self._calls.can_start(chunk.get("toolCallId")):
            self._ensure_message(chunk.get("parentMessageId"), seq_num)
            self._message.begin_part(calls_are_open=self._calls.any_open)
            self._message.show(self._calls.start(chunk))

    def _call_args(self, chunk: Chunk, seq_num: int) -> None:
        self._show_all(self._calls.args(chunk))

    def _call_ended(self, chunk: Chunk, seq_num: int) -> None:
        self._show_all(self._calls.end(chunk.get("toolCallId"), chunk.get("input", MISSING)))

    def _call_result(self, chunk: Chunk, seq_num: int) -> None:
        self._show_all(self._calls.result(chunk))
        if self._calls.is_own(chunk.get("toolCallId")):
            self._message.end_step()

    def _ask_approval(self, call_id: Any, approval_id: Any) -> bool:
        return self._show_all(self._calls.ask(call_id, approval_id))

    def _show_all(self, chunks: Iterable[UIChunk]) -> bool:
        shown = False
        for chunk in chunks:
            self._message.show(chunk)
            shown = True
        return shown

    # --- Everything else --------------------------------------------------------------------------------------

    def _run_ended(self, chunk: Chunk, seq_num: int) -> None:
        """Ask for what an interrupt waits for. How the answer ends is up to the generation: agents run several."""
        for interrupt in interrupts_of(chunk):
            asks_approval = (
                record(interrupt.get("metadata")).get("kind") == "approval"
                or interrupt.get("reason") == "approval_required"
            )
            if not asks_approval or not self._ask_approval(interrupt.get("toolCallId"), interrupt.get("id")):
                self._message.tell({"type": "data-interrupt", "data": interrupt, "transient": True})

    def _custom(self, chunk: Chunk, seq_num: int) -> None:
        name, value = chunk.get("name"), chunk.get("value")
        if not isinstance(name, str):
            return
        if name == "approval-requested":
            asked = record(value)
            self._ask_approval(asked.get("toolCallId"), record(asked.get("approval")).get("id"))
        elif name == "ui-resource" and self._message.has_begun:
            self._message.begin_part(calls_are_open=self._calls.any_open)
            self._message.show({"type": "data-ui-resource", "data": value})
        else:
            self._message.tell({"type": f"data-{name}", "data": value, "transient": True})


_HANDLERS: Final[Mapping[str, Callable[[Answer, Chunk, int], None]]] = {
    "TEXT_MESSAGE_START": Answer._text_started,
    "TEXT_MESSAGE_CONTENT": Answer._text,
    "TEXT_MESSAGE_END": Answer._text_ended,
    **dict.fromkeys(
        ("STEP_STARTED", "STEP_FINISHED", "REASONING_MESSAGE_END", "REASONING_END"), Answer._reasoning_ended
    ),
    "REASONING_MESSAGE_CONTENT": Answer._reasoning,
    "REASONING_ENCRYPTED_VALUE": Answer._encrypted,
    "TOOL_CALL_START": Answer._call_started,
    "TOOL_CALL_ARGS": Answer._call_args,
    "TOOL_CALL_END": Answer._call_ended,
    "TOOL_CALL_RESULT": Answer._call_result,
    "RUN_FINISHED": Answer._run_ended,
    "CUSTOM": Answer._custom,
}
