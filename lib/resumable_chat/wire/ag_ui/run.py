"""One run as AG-UI events, whose order the verifiers of strict clients take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...protocol.chunks import TERMINALS, Chunk
from ...protocol.json_text import stringify
from ...protocol.open_parts import METADATA
from ...protocol.outcomes import Ending, Outcome
from ...transcript.js import added_text, blank
from ...transcript.snapshot import read_snapshot
from ...transcript.values import Unfoldable, restored
from .ends import Dialect, first_event, last_event
from .fields import Event, text, with_metadata
from .passing import passing
from .rows import Rows, message_rows

_ROLES: Final = frozenset({"user", "system", "developer", "assistant"})
_SUBTYPES: Final = frozenset({"tool-call", "message"})
_MAX_USAGES: Final = 32
_FAILED: Final = frozenset({outcome.value for outcome in Outcome if Ending(outcome).failed})


@dataclass(slots=True)
class _Waiting:
    """The start of a text that is held back until there is something to show."""

    role: str
    fields: dict[str, Any]
    text: str = ""


@dataclass(slots=True)
class _Call:
    """A tool call of this run, and the message that it is in."""

    owner: str
    has_arguments: bool = False
    open: bool = True
    answered: bool = False


@dataclass(slots=True)
class _Open:
    """What has to be closed before a RUN_FINISHED. The dicts without values are sets that keep their order."""

    texts: dict[str, str] = field(default_factory=dict)
    """The open row of each message."""
    thought: str | None = None
    steps: dict[str, None] = field(default_factory=dict)


class RunRewriter:
    """Makes the events of one generation, which becomes one run, of its chunks in their order.

    * RUN_STARTED comes first and once, and the last terminal alone is sent, when the generation is over.
    * A text's start is held back until something of it can be shown: clients place a row by its first event, and the
      fold removes texts of nothing but white space.
    * Ends that are missing are added, and what was not opened is not closed.
    * Metadata that come after the end of their message reopen its row for a moment.

    ``users`` are the ids of the messages that it answers, ``answered`` the calls whose results the client has as rows
    of its own. Chunks that AG-UI has no place for yield nothing, whatever they hold.
    """

    def __init__(
        self,
        dialect: Dialect,
        run_id: str,
        *,
        parent_run_id: str | None = None,
        users: Collection[str] = (),
        answered: Collection[str] = (),
    ) -> None:
        self._dialect = dialect
        self._run_id = run_id
        self._parent_run_id = parent_run_id
        self._users = users
        self._answered = answered
        self._open = _Open()
        self._rows: dict[str, Rows] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._calls: dict[str, _Call] = {}
        self._thoughts: dict[str, str] = {}
        """Rows of thoughts, by the ids that the chunks give them."""
        self._told: dict[str, dict[str, Any]] = {}
        """The metadata that tell the outcome, by the messages that carry them."""
        self._message: str | None = None
        self._terminal: Chunk | None = None
        self._usages: list[Any] = []

    def start(self) -> Event:
        """Return the run's first event."""
        return first_event(self._dialect, self._run_id, self._parent_run_id)

    def feed(self, chunk: Chunk) -> list[Event]:
        """Return the events for the next chunk."""
        handler = _HANDLERS.get(chunk["type"])
        return passing(chunk) if handler is None else list(handler(self, restored(chunk)))

    def end(self, ending: Ending) -> list[Event]:
        """Return what closes the open parts, and the run's terminal event."""
        closing = list(self._close_all())
        pending = [call_id for call_id, call in self._calls.items() if not call.answered]
        return [*closing, last_event(self._dialect, self._run_id, ending, self._terminal, self._usages, pending)]

    def _close_all(self) -> Iterator[Event]:
        yield from self._close_thought()
        for message_id in [*self._open.texts]:
            if message_id not in self._told:
                yield from self._close_text(message_id)
        for message_id, metadata in self._told.items():
            yield from self._close_text(message_id, metadata)
        self._told = {}
        for call_id, call in self._calls.items():
            if call.open:
                call.open = False
                yield {"type": "TOOL_CALL_END", "toolCallId": call_id}
        for step in self._open.steps:
            yield {"type": "STEP_FINISHED", "stepName": step}
        self._open.steps = {}

    # --- Runs -----------------------------------------------------------------------------------------------

    def _run(self, chunk: Chunk) -> Iterable[Event]:
        if chunk["type"] == "RUN_STARTED":
            self._terminal = None
            self._told = {}
            return ()
        self._terminal = chunk
        if chunk.get("usage") is not None and len(self._usages) < _MAX_USAGES:
            self._usages.append(chunk["usage"])
        return ()

    # --- Texts ----------------------------------------------------------------------------------------------

    def _text_started(self, chunk: Chunk) -> Iterator[Event]:
        message_id = chunk.get("messageId")
        if not isinstance(message_id, str):
            return
        role = chunk.get("role")
        role = role if isinstance(role, str) and role in _ROLES else "assistant"
        if role == "assistant":
            self._message = message_id
        if message_id in self._open.texts:
            yield from self._noted(message_id, chunk)
            return
        fields = {"name": chunk["name"]} if isinstance(chunk.get("name"), str) else {}
        waiting = self._waiting.setdefault(message_id, _Waiting(role, fields))
        waiting.fields = with_metadata(waiting.fields, chunk.get("metadata"))

    def _text(self, chunk: Chunk) -> Iterator[Event]:
        given = chunk.get("messageId")
        message_id = given if isinstance(given, str) else self._owner()
        delta = added_text(chunk.get("delta"))
        waiting = self._waiting.get(message_id)
        if waiting is None and message_id not in self._open.texts:
            waiting = self._waiting[message_id] = _Waiting("user" if message_id in self._users else "assistant", {})
        if waiting is not None:
            waiting.text += delta
            waiting.fields = with_metadata(waiting.fields, chunk.get("metadata"))
            if not blank(waiting.text) or self._rows_of(message_id).used:
                yield from self._show(message_id, waiting)
            return
        if delta:
            yield from self._close_thought()
            yield from self._into_row(message_id)
            event = {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._open.texts[message_id], "delta": delta}
            yield with_metadata(event, chunk.get("metadata"))
        else:
            yield from self._noted(message_id, chunk)

    def _noted(self, message_id: str, chunk: Chunk) -> Iterator[Event]:
        """Yield an event that only merges metadata into the open text of a message."""
        event = {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._open.texts[message_id], "delta": ""}
        noted = with_metadata(event, chunk.get("metadata"))
        if "metadata" in noted:
            yield noted

    def _show(self, message_id: str, waiting: _Waiting) -> Iterator[Event]:
        """Yield the start that was held back, and the text that waits behind it."""
        yield from self._close_thought()
        del self._waiting[message_id]
        row = self._rows_of(message_id).text() if waiting.text else self._rows_of(message_id).current
        self._open.texts[message_id] = row
        yield {"type": "TEXT_MESSAGE_START", "messageId": row, "role": waiting.role, **waiting.fields}
        if waiting.text:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": row, "delta": waiting.text}

    def _into_row(self, message_id: str) -> Iterator[Event]:
        """Yield what has the open text of a message go on in a new row, if calls or thoughts came since."""
        before = self._open.texts[message_id]
        row = self._rows_of(message_id).text()
        if row != before:
            self._open.texts[message_id] = row
            yield {"type": "TEXT_MESSAGE_END", "messageId": before}
            yield {"type": "TEXT_MESSAGE_START", "messageId": row, "role": "assistant"}

    def _text_ended(self, chunk: Chunk) -> Iterator[Event]:
        message_id = chunk.get("messageId")
        if not isinstance(message_id, str):
            return
        metadata = chunk.get("metadata")
        if isinstance(metadata, dict) and METADATA in metadata:
            # Of a loop of runs, only the last tells how the one run of this response ended.
            self._told[message_id] = metadata
            return
        yield from self._close_text(message_id, metadata)

    def _close_text(self, message_id: str, metadata: Any = None) -> Iterator[Event]:
        """Yield the end of a message's text. Metadata reopen a row that is closed, if there is any."""
        row = self._open.texts.pop(message_id, None)
        if row is not None:
            yield from self._close_thought()
            yield with_metadata({"type": "TEXT_MESSAGE_END", "messageId": row}, metadata)
            return
        is_users = message_id in self._users
        waiting = self._waiting.pop(message_id, None)
        if not isinstance(metadata, dict) or not (is_users or self._rows_of(message_id).used or _has_failed(metadata)):
            # There is nothing to show of this message, and the fold removes it as well.
            return
        yield from self._close_thought()
        row = message_id if is_users else self._rows_of(message_id).current
        role = "user" if is_users else waiting.role if waiting is not None else "assistant"
        yield {"type": "TEXT_MESSAGE_START", "messageId": row, "role": role}
        yield with_metadata({"type": "TEXT_MESSAGE_END", "messageId": row}, metadata)

    def _owner(self) -> str:
        """Return the assistant's message that a part without a message of its own belongs to."""
        if self._message is None:
            self._message = f"msg-{self._run_id}"
        return self._message

    def _is_answer(self, message_id: str) -> bool:
        """Return whether a call may belong to this message: a message of this run, or the first that is named."""
        known = message_id in self._rows or message_id in self._waiting
        return message_id not in self._users and (known or self._message is None)

    def _rows_of(self, message_id: str) -> Rows:
        rows = self._rows.get(message_id)
        if rows is None:
            rows = self._rows[message_id] = Rows(message_id)
        return rows

    # --- Tool calls -----------------------------------------------------------------------------------------

    def _call_started(self, chunk: Chunk) -> Iterator[Event]:
        call_id = chunk.get("toolCallId")
        if not isinstance(call_id, str) or call_id in self._calls:
            return
        parent = chunk.get("parentMessageId")
        owner = parent if isinstance(parent, str) and self._is_answer(parent) else self._owner()
        self._message = self._message or owner
        yield from self._close_thought()
        waiting = self._waiting.get(owner)
        if waiting is not None and waiting.text:
            yield from self._show(owner, waiting)
        self._calls[call_id] = _Call(owner)
        name = chunk.get("toolCallName")
        event = {
            "type": "TOOL_CALL_START",
            "toolCallId": call_id,
            "toolCallName": name if isinstance(name, str) else "",
        }
        yield with_metadata({**event, "parentMessageId": self._rows_of(owner).call(call_id)}, chunk.get("metadata"))

    def _call_arguments(self, chunk: Chunk) -> Iterator[Event]:
        call_id = chunk.get("toolCallId")
        call = self._open_call(call_id)
        delta = added_text(chunk.get("delta"))
        if call is not None and delta:
            call.has_arguments = True
            yield {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta}

    def _call_ended(self, chunk: Chunk) -> Iterator[Event]:
        call_id = chunk.get("toolCallId")
        call = self._open_call(call_id)
        if call is None:
            return
        if "input" in chunk and not call.has_arguments:
            yield {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": stringify(chunk["input"])}
        call.open = False
        yield with_metadata({"type": "TOOL_CALL_END", "toolCallId": call_id}, chunk.get("metadata"))

    def _call_answered(self, chunk: Chunk) -> Iterator[Event]:
        call_id = chunk.get("toolCallId")
        if not isinstance(call_id, str):
            return
        call = self._calls.get(call_id)
        if call is None:
            if call_id in self._answered:
                return
            # A call of an earlier run. It has its result now.
            self._calls[call_id] = call = _Call("", open=False)
            row = chunk["messageId"] if isinstance(chunk.get("messageId"), str) else f"result-{call_id}"
        elif call.answered:
            return
        else:
            row = self._rows_of(call.owner).result(call_id)
        call.answered = True
        yield from self._close_thought()
        if call.open:
            call.open = False
            yield {"type": "TOOL_CALL_END", "toolCallId": call_id}
        event = {"type": "TOOL_CALL_RESULT", "messageId": row, "toolCallId": call_id, "role": "tool"}
        yield with_metadata({**event, "content": text(chunk.get("content", ""))}, chunk.get("metadata"))

    def _open_call(self, call_id: Any) -> _Call | None:
        call = self._calls.get(call_id) if isinstance(call_id, str) else None
        return call if call is not None and call.open else None

    # --- Thoughts and steps ---------------------------------------------------------------------------------

    def _thought(self, chunk: Chunk) -> Iterator[Event]:
        delta = added_text(chunk.get("delta"))
        if not delta:
            return
        given = chunk.get("messageId")
        given = given if isinstance(given, str) else ""
        row = self._open.thought
        if row is None or self._thoughts.get(given) != row:
            yield from self._close_thought()
            row = self._open.thought = self._thoughts[given] = self._rows_of(self._owner()).thought()
            yield {"type": "REASONING_START", "messageId": row}
            yield {"type": "REASONING_MESSAGE_START", "messageId": row, "role": "reasoning"}
        yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": row, "delta": delta}

    def _thought_ended(self, chunk: Chunk) -> Iterator[Event]:
        return self._close_thought()

    def _close_thought(self) -> Iterator[Event]:
        row, self._open.thought = self._open.thought, None
        if row is not None:
            yield {"type": "REASONING_MESSAGE_END", "messageId": row}
            yield {"type": "REASONING_END", "messageId": row}

    def _signature(self, chunk: Chunk) -> Iterator[Event]:
        entity, subtype, value = chunk.get("entityId"), chunk.get("subtype"), chunk.get("encryptedValue")
        if not isinstance(value, str) or not isinstance(subtype, str) or subtype not in _SUBTYPES:
            return
        if subtype == "message":
            entity = self._thoughts.get(entity) if isinstance(entity, str) else None
        if isinstance(entity, str):
            yield {"type": chunk["type"], "subtype": subtype, "entityId": entity, "encryptedValue": value}

    def _step(self, chunk: Chunk) -> Iterator[Event]:
        step = chunk.get("stepName")
        starts = chunk["type"] == "STEP_STARTED"
        if not isinstance(step, str) or starts == (step in self._open.steps):
            return
        yield from self._close_thought()
        if starts:
            self._open.steps[step] = None
        else:
            del self._open.steps[step]
        yield {"type": chunk["type"], "stepName": step}

    def _snapshot(self, chunk: Chunk) -> Iterator[Event]:
        made = 0

        def new_id() -> str:
            nonlocal made
            made += 1
            return f"msg-{self._run_id}-{made}"

        try:
            messages = read_snapshot(chunk.get("messages"), (), new_id)
        except Unfoldable:
            return
        yield from self._close_all()
        self._waiting, self._rows, self._thoughts = {}, {}, {}
        listed = [
            row
            for message in messages
            for row in message_rows(message, self._rows_of(message["id"]), files=self._dialect.current)
        ]
        yield {"type": "MESSAGES_SNAPSHOT", "messages": listed}


def _has_failed(metadata: Mapping[str, Any]) -> bool:
    ours = metadata.get(METADATA)
    run = ours.get("run") if isinstance(ours, dict) else None
    outcome = run.get("outcome") if isinstance(run, dict) else None
    return isinstance(outcome, str) and outcome in _FAILED


_HANDLERS: Final[Mapping[str, Callable[[RunRewriter, Chunk], Iterable[Event]]]] = {
    **dict.fromkeys(("RUN_STARTED", *TERMINALS), RunRewriter._run),
    "TEXT_MESSAGE_START": RunRewriter._text_started,
    "TEXT_MESSAGE_CONTENT": RunRewriter._text,
    "TEXT_MESSAGE_END": RunRewriter._text_ended,
    "TOOL_CALL_START": RunRewriter._call_started,
    "TOOL_CALL_ARGS": RunRewriter._call_arguments,
    "TOOL_CALL_END": RunRewriter._call_ended,
    "TOOL_CALL_RESULT": RunRewriter._call_answered,
    "REASONING_MESSAGE_CONTENT": RunRewriter._thought,
    "REASONING_MESSAGE_END": RunRewriter._thought_ended,
    "REASONING_END": RunRewriter._thought_ended,
    "REASONING_ENCRYPTED_VALUE": RunRewriter._signature,
    **dict.fromkeys(("STEP_STARTED", "STEP_FINISHED"), RunRewriter._step),
    "MESSAGES_SNAPSHOT": RunRewriter._snapshot,
}
