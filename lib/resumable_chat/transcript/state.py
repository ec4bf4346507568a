"""The state of a fold: the messages, what streams into them, and the run of deltas that is not written yet."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ..protocol.chunks import Chunk
from ..protocol.json_text import join_surrogates
from . import edits
from .js import date, is_moment, iso, string, truthy
from .messages import MessageList
from .values import MISSING, Part, tanstack


@dataclass(slots=True)
class Call:
    """A tool call while it streams."""

    id: Any
    name: Any
    metadata: Any
    arguments: str = ""
    state: str = "awaiting-input"


@dataclass(slots=True)
class MessageState:
    """What the fold knows of one message while it streams.

    ``segment`` is the text since the last tool call, ``written`` as much of it as the message holds.
    """

    role: Any
    segment: str = ""
    written: str = ""
    thoughts: dict[Any, str] = field(default_factory=dict)
    signatures: dict[Any, Any] = field(default_factory=dict)
    step: Any = None
    calls: dict[Any, Call] = field(default_factory=dict)
    tools_since_text: bool = False


@dataclass(slots=True)
class Streaming:
    """What a browser forgets when it sends. The dicts without values are sets that keep their order."""

    states: dict[Any, MessageState] = field(default_factory=dict)
    active: dict[Any, None] = field(default_factory=dict)
    runs: dict[Any, None] = field(default_factory=dict)
    call_owners: dict[Any, Any] = field(default_factory=dict)
    """Ids of messages, by the ids of the calls that stream into them."""
    structured: dict[Any, None] = field(default_factory=dict)
    """Messages whose text is structured output."""
    unnamed: Any = None
    """The message that was made because something came before its start; the next start names it."""
    pending_step: Any = None
    had_error: bool = False


class DeltaRun:
    """Adjacent deltas of one target, collected so that they are written into their message once."""

    __slots__ = ("_write", "deltas", "kind", "target")

    def __init__(self) -> None:
        self.kind: str | None = None
        self.target: Any = None
        self.deltas: list[str] = []
        self._write: Callable[[str], None] | None = None

    def start(self, kind: str, target: Any, write: Callable[[str], None]) -> None:
        """Collect what follows for this target, unless the target has no name."""
        if type(target) is str:
            self.kind, self.target, self._write = kind, target, write

    def take(self, chunk: Chunk) -> bool:
        """Take a chunk of the run's kind if it is one more plain delta for its target."""
        target = chunk.get("toolCallId" if self.kind == "TOOL_CALL_ARGS" else "messageId")
        delta = chunk.get("delta")
        if target != self.target or type(target) is not str or type(delta) is not str or "metadata" in chunk:
            return False
        self.deltas.append(delta)
        return True

    def end(self) -> None:
        """Write what was collected."""
        if self.kind is None:
            return
        self.kind = None
        write, self._write = self._write, None
        if self.deltas:
            added = "".join(self.deltas)
            self.deltas.clear()
            if added and write is not None:
                write(added)


class Fold:
    """The state that the handlers of chunks share.

    ``seq_num`` is the current record's sequence number. ``times`` are the time that the chunk brings and that of its
    record, in ms since 1970; the first that is one counts.
    """

    def __init__(self, messages: MessageList) -> None:
        self.messages = messages
        self.streaming = Streaming()
        self.run = DeltaRun()
        self.seq_num = 0
        self.times: tuple[Any, int] = (None, 0)
        self.ids_made = 0

    def copy(self) -> Fold:
        """Return an independent fold in the same state. The run of deltas must have ended."""
        other = Fold(MessageList(deepcopy(self.messages.as_list)))
        other.streaming = deepcopy(self.streaming)
        other.seq_num, other.times, other.ids_made = self.seq_num, self.times, self.ids_made
        return other

    def new_id(self) -> str:
        """Return an id for a message that came without one."""
        self.ids_made += 1
        return f"msg-{self.seq_num}" if self.ids_made == 1 else f"msg-{self.seq_num}-{self.ids_made}"

    def add_message(self, message_id: Any, role: str) -> MessageState:
        """Add an empty message at the end, and begin to stream into it."""
        own, now = self.times
        if own is not None and is_moment(own):
            now = own
        elif not is_moment(now):
            now = 0
        self.messages.append({"id": message_id, "role": role, "parts": [], "createdAt": iso(now)})
        return self.open(message_id, role)

    def open(self, message_id: Any, role: Any) -> MessageState:
        """Begin to stream into a message."""
        state = self.streaming.states[message_id] = MessageState(role)
        self.streaming.active[message_id] = None
        return state

    def active_assistant(self) -> Any:
        """Return the id of the assistant message that streams, or streamed last; None if there is none."""
        states = self.streaming.states
        for message_id in reversed(self.streaming.active):
            state = states.get(message_id)
            if state is not None and state.role == "assistant":
                return message_id
        for message_id in reversed(states):
            if states[message_id].role == "assistant":
                return message_id
        return None

    def ensure_assistant(self, preferred: Any = None) -> tuple[Any, MessageState]:
        """Return the message that a chunk belongs to, made if there is none.

        A message that streams wins over ``preferred``, unless that one streams itself.
        """
        states = self.streaming.states
        if not truthy(preferred) or preferred not in states:
            active = self.active_assistant()
            if not truthy(active):
                return self._adopt(preferred)
            preferred = active
        self.streaming.active[preferred] = None
        return preferred, states[preferred]

    def _adopt(self, preferred: Any) -> tuple[Any, MessageState]:
        """Stream into a message that is in the list already, or into a new one."""
        named = self.messages.named(preferred) if truthy(preferred) else ()
        if named:
            state = self.open(preferred, named[0].get("role"))
            last = named[0]["parts"][-1] if named[0]["parts"] else {}
            if last.get("type") == "text" and last.get("content") is not None:
                state.segment = state.written = string(last["content"])
            return preferred, state
        message_id = preferred if truthy(preferred) else self.new_id()
        state = self.add_message(message_id, "assistant")
        self.streaming.unnamed = message_id
        return message_id, state

    def merge_metadata(self, message_id: Any, chunk: Chunk) -> None:
        """Merge a chunk's metadata, if it is an object, into the message."""
        incoming = chunk.get("metadata")
        if type(incoming) is not dict:
            return
        extras = tanstack(incoming)
        if "content" in extras or "args" in extras:
            kept = {key: value for key, value in extras.items() if key not in ("content", "args")}
            incoming = {**incoming, "tanstack": kept}
        created = date(extras.get("createdAt"))
        named = self.messages.named(message_id)
        # Messages that share an id also share what the first of them knew.
        merged = edits.merged_metadata(named[0], incoming) if named else {}
        for message in named:
            message["metadata"] = merged
            if created is not None:
                message["createdAt"] = created

    def write_text(self, message_id: Any, state: MessageState) -> None:
        """Write the current segment of text into the message."""
        if state.segment == state.written:
            return
        text = join_surrogates(state.segment)
        for message in self.messages.named(message_id):
            edits.put_text(message, text)
        state.written = state.segment

    def begin_segment(self, message_id: Any, state: MessageState) -> None:
        """Begin a new segment of text, which becomes a part of its own behind the tool calls."""
        self.write_text(message_id, state)
        state.segment = state.written = ""
        state.tools_since_text = False

    def write_call(self, message_id: Any, call: Call, state: str, given: Any = MISSING, metadata: Any = None) -> None:
        """Write a tool call into the message."""
        part: Part = {} if call.id is None else {"id": call.id}
        if call.name is not MISSING:
            part["name"] = call.name
        part |= {"arguments": join_surrogates(call.arguments), "state": state}
        for message in self.messages.named(message_id):
            if edits.put_call(message, part, given, metadata):
                self.messages.holds(message, call.id)

    def owned_call(self, call_id: Any) -> tuple[Any, Call | None]:
        """Return the message that a call streams into, and the call; None if it does not stream."""
        owner = self.streaming.call_owners.get(call_id)
        state = self.streaming.states.get(owner)
        return owner, state.calls.get(call_id) if state is not None else None
