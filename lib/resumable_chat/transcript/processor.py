"""The fold: chunks into messages, with the results of TanStack AI's StreamProcessor 0.58, but deterministic.

Where the browser makes up an id or looks at the clock, this derives both from the record: ``msg-<sequence number>``
and the record's timestamp. Two folds of one log give the same messages.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Final

from .js import NotJson, blank, date, iso, parse_json, stringify, truthy, whole
from .partial_json import parse_partial
from .results import MISSING, error_text, output_of
from .snapshot import read_snapshot

Chunk = dict[str, Any]
Message = dict[str, Any]
Part = dict[str, Any]

_UNTOUCHABLE: Final = frozenset({"error", "approval-requested", "approval-responded"})


class _Call:
    __slots__ = ("arguments", "id", "metadata", "name", "state")

    def __init__(self, call_id: Any, name: Any, metadata: Any) -> None:
        self.id = call_id
        self.name = name
        self.arguments = ""
        self.state = "awaiting-input"
        self.metadata = metadata


class _State:
    """What is known of one message while it streams."""

    __slots__ = (
        "calls",
        "emitted",
        "role",
        "segment",
        "signatures",
        "step",
        "thinking",
        "tools_since",
    )

    def __init__(self, role: str) -> None:
        self.role = role
        self.segment = ""
        self.emitted = ""
        self.thinking: dict[Any, str] = {}
        self.signatures: dict[Any, Any] = {}
        self.step: Any = None
        self.calls: dict[Any, _Call] = {}
        self.tools_since = False


class StreamProcessor:
    """Folds chunks into ``messages``, a list of UIMessages as JSON values.

    The list and its messages belong to the processor: serialise them before the next call.
    """

    def __init__(self, messages: list[Message] | None = None) -> None:
        self._messages: list[Message] = []
        self._by_id: dict[Any, list[Message]] = {}
        self._by_call: dict[Any, list[Message]] = {}
        self._seq = 0
        self._now = 0
        self._made = 0
        # A run of deltas for one target is collected here, and written into its message when it is over.
        self._run_type: str | None = None
        self._run_target: Any = None
        self._run: list[str] = []
        self._run_end: Callable[[str], None] | None = None
        self.reset()
        if messages:
            self.replace_messages(messages)

    # --- The public side ------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        """The messages as of now, each with ``id``, ``role`` and ``parts``."""
        self._end_run()
        return self._messages

    def replace_messages(self, messages: list[Message]) -> None:
        """Set the list; what streams is not touched. Cheap when it only adds to the current list."""
        self._end_run()
        kept = len(self._messages)
        if len(messages) < kept or any(new is not old for new, old in zip(messages, self._messages, strict=False)):
            kept = 0
            self._by_id.clear()
            self._by_call.clear()
        self._messages = list(messages)
        for message in self._messages[kept:]:
            self._index(message)

    def reset(self) -> None:
        """Forget all that streams: what a browser does when it sends."""
        self._end_run()
        self._states: dict[Any, _State] = {}
        self._active: dict[Any, None] = {}
        self._runs: dict[Any, None] = {}
        self._owners: dict[Any, Any] = {}
        self._structured: dict[Any, None] = {}
        self._pending_manual: Any = None
        self._pending_step: Any = None
        self._finish_reason: Any = None
        self._had_error = False

    def copy(self) -> StreamProcessor:
        """An independent processor in the same state."""
        self._end_run()
        return copy.deepcopy(self)

    def process(self, chunk: Chunk, *, seq: int, timestamp: int) -> None:
        """Fold one chunk: ``seq`` its record's sequence number, ``timestamp`` its ms since 1970.

        Raises ValueError for a chunk that the browser would throw at; the messages are as they were then.
        """
        if not isinstance(chunk, dict):
            raise ValueError("a chunk must be an object")
        kind = chunk.get("type")
        if kind == self._run_type and self._extends_run(chunk):
            return
        self._end_run()
        handle = _HANDLERS.get(kind)  # type: ignore[arg-type]
        if handle is not None:
            self._seq = seq
            own = chunk.get("timestamp")
            self._now = own if own is not None and _is_moment(own) else timestamp
            self._made = 0
            handle(self, chunk)

    def process_many(self, chunks: Iterable[tuple[Chunk, int, int]]) -> int:
        """Fold (chunk, seq, timestamp) in turn; chunks that cannot be folded are skipped and counted."""
        skipped = 0
        process = self.process
        append = self._run.append
        for chunk, seq, timestamp in chunks:
            # The hot path: one more delta for the text that is being written, spelled out for its speed.
            if (
                chunk.get("type") == "TEXT_MESSAGE_CONTENT" == self._run_type
                and chunk.get("messageId") == self._run_target
                and "metadata" not in chunk
                and type(delta := chunk.get("delta")) is str
            ):
                append(delta)
                continue
            try:
                process(chunk, seq=seq, timestamp=timestamp)
            except (ValueError, TypeError, KeyError, AttributeError):
                skipped += 1
        return skipped

    def finalize(self) -> None:
        """End the stream: complete tool calls, drop a blank answer."""
        self._end_run()
        self._finalise()

    # --- Runs of deltas -------------------------------------------------------------------------------------

    def _extends_run(self, chunk: Chunk) -> bool:
        target = chunk.get("toolCallId" if self._run_type == "TOOL_CALL_ARGS" else "messageId")
        delta = chunk.get("delta")
        if target != self._run_target or type(target) is not str or type(delta) is not str or "metadata" in chunk:
            return False
        self._run.append(delta)
        return True

    def _start_run(self, kind: str, target: Any, end: Callable[[str], None]) -> None:
        if type(target) is str:
            self._run_type, self._run_target, self._run_end = kind, target, end

    def _end_run(self) -> None:
        if self._run_type is None:
            return
        self._run_type = None
        end, self._run_end = self._run_end, None
        if self._run:
            added = "".join(self._run)
            self._run.clear()
            if added and end is not None:
                end(added)

    # --- Messages -------------------------------------------------------------------------------------------

    def _index(self, message: Message) -> None:
        self._by_id.setdefault(message.get("id"), []).append(message)
        for part in message.get("parts", ()):
            if isinstance(part, dict) and part.get("type") == "tool-call":
                self._by_call.setdefault(part.get("id"), []).append(message)

    def _named(self, message_id: Any) -> list[Message]:
        return self._by_id.get(message_id, [])

    def _new_id(self) -> str:
        self._made += 1
        return f"msg-{self._seq}" if self._made == 1 else f"msg-{self._seq}-{self._made}"

    def _append(self, message_id: Any, role: str) -> None:
        message = {"id": message_id, "role": role, "parts": [], "createdAt": iso(self._now)}
        self._messages.append(message)
        self._by_id.setdefault(message_id, []).append(message)

    def _active_assistant(self) -> Any:
        for message_id in reversed(self._active):
            state = self._states.get(message_id)
            if state is not None and state.role == "assistant":
                return message_id
        for message_id in reversed(self._states):
            if self._states[message_id].role == "assistant":
                return message_id
        return None

    def _ensure_assistant(self, preferred: Any = None) -> tuple[Any, _State]:
        if truthy(preferred) and preferred in self._states:
            return self._reopen(preferred)
        active = self._active_assistant()
        if active is not None:
            return self._reopen(active)
        if truthy(preferred) and self._named(preferred):
            message = self._named(preferred)[0]
            state = self._states[preferred] = _State(message["role"])
            self._active[preferred] = None
            last = message["parts"][-1] if message["parts"] else None
            if last is not None and last.get("type") == "text":
                state.segment = state.emitted = last.get("content") or ""
            return preferred, state
        message_id = preferred if truthy(preferred) else self._new_id()
        self._append(message_id, "assistant")
        state = self._states[message_id] = _State("assistant")
        self._active[message_id] = None
        self._pending_manual = message_id
        return message_id, state

    def _reopen(self, message_id: Any) -> tuple[Any, _State]:
        state = self._states[message_id]
        self._active[message_id] = None
        return message_id, state

    def _merge_metadata(self, message_id: Any, chunk: Chunk) -> None:
        incoming = chunk.get("metadata")
        if not isinstance(incoming, dict):
            return
        inner = incoming.get("metadata")
        tanstack = (inner if isinstance(inner, dict) else incoming).get("tanstack")
        if isinstance(tanstack, dict) and ("content" in tanstack or "args" in tanstack):
            stripped = {key: value for key, value in tanstack.items() if key not in ("content", "args")}
            incoming = {**incoming, "tanstack": stripped}
        named = self._named(message_id)
        existing = named[0].get("metadata") if named else None
        existing = existing if isinstance(existing, dict) else {}
        for message in named:
            merged = {**existing, **incoming}
            old, new = existing.get("tanstack"), incoming.get("tanstack")
            if isinstance(old, dict) and isinstance(new, dict):
                merged["tanstack"] = {**old, **new}
            message["metadata"] = merged
            created = date(tanstack.get("createdAt")) if isinstance(tanstack, dict) else None
            if created is not None:
                message["createdAt"] = created

    # --- Text -----------------------------------------------------------------------------------------------

    def _write_text(self, message_id: Any, state: _State) -> None:
        part = {"type": "text", "content": whole(state.segment)}
        for message in self._named(message_id):
            parts = message["parts"]
            if parts and parts[-1].get("type") == "text":
                parts[-1] = dict(part)
            else:
                parts.append(dict(part))
        state.emitted = state.segment

    def _new_segment(self, message_id: Any, state: _State) -> None:
        if state.segment != state.emitted:
            self._write_text(message_id, state)
        state.segment = state.emitted = ""
        state.tools_since = False

    def _text_start(self, chunk: Chunk) -> None:
        message_id = chunk.get("messageId")
        role = chunk.get("role")
        role = role if role in ("user", "system") else "assistant"
        if self._pending_manual is not None:
            pending, self._pending_manual = self._pending_manual, None
            if pending != message_id:
                self._rename(pending, message_id)
        elif not self._named(message_id):
            self._append(message_id, role)
            self._states[message_id] = _State(role)
            self._active[message_id] = None
            self._merge_metadata(message_id, chunk)
            return
        else:
            self._active[message_id] = None
        state = self._states.get(message_id)
        if state is None:
            self._states[message_id] = _State(role)
            self._active[message_id] = None
        elif state.tools_since:
            self._new_segment(message_id, state)
        self._merge_metadata(message_id, chunk)

    def _rename(self, old: Any, new: Any) -> None:
        renamed = self._by_id.pop(old, [])
        for message in renamed:
            message["id"] = new
        if renamed:
            self._by_id.setdefault(new, []).extend(renamed)
        state = self._states.pop(old, None)
        if state is not None:
            self._states.pop(new, None)
            self._states[new] = state
        if old in self._active:
            del self._active[old]
            self._active[new] = None
        for call_id, owner in self._owners.items():
            if owner == old:
                self._owners[call_id] = new

    def _text_content(self, chunk: Chunk) -> None:
        message_id, state = self._ensure_assistant(chunk.get("messageId"))
        self._merge_metadata(message_id, chunk)
        delta = _text(chunk.get("delta"))
        if message_id in self._structured:
            if delta:
                self._structured_delta(message_id, delta)
            if chunk.get("messageId") == message_id:
                self._start_run(
                    "TEXT_MESSAGE_CONTENT",
                    message_id,
                    lambda added: self._structured_delta(message_id, added),
                )
            return
        if state.tools_since and state.segment:
            self._new_segment(message_id, state)
        state.tools_since = False
        self._add_text(message_id, state, delta)
        if chunk.get("messageId") == message_id:
            self._start_run("TEXT_MESSAGE_CONTENT", message_id, lambda added: self._add_text(message_id, state, added))

    def _add_text(self, message_id: Any, state: _State, delta: str) -> None:
        state.segment += delta
        if state.segment != state.emitted:
            self._write_text(message_id, state)

    def _text_end(self, chunk: Chunk) -> None:
        message_id = chunk.get("messageId")
        self._merge_metadata(message_id, chunk)
        state = self._states.get(message_id)
        if state is not None and state.segment != state.emitted:
            self._write_text(message_id, state)

    # --- Tools ----------------------------------------------------------------------------------------------

    def _put_call(self, message_id: Any, call: _Call, state: str, given: Any = MISSING, metadata: Any = None) -> None:
        for message in self._named(message_id):
            at = _find(message, "tool-call", "id", call.id)
            before: Part = message["parts"][at] if at is not None else {}
            part: Part = {"type": "tool-call", "id": call.id}
            if call.name is not MISSING:
                part["name"] = call.name
            part |= {"arguments": whole(call.arguments), "state": state}
            part |= {key: before[key] for key in ("approval", "output") if key in before}
            if given is not MISSING and given is not None:
                part["input"] = given
            elif "input" in before:
                part["input"] = before["input"]
            if metadata is not None:
                part["metadata"] = metadata
            elif "metadata" in before:
                part["metadata"] = before["metadata"]
            if at is None:
                message["parts"].append(part)
                self._by_call.setdefault(call.id, []).append(message)
            else:
                message["parts"][at] = part

    def _complete_call(self, message_id: Any, call: _Call) -> None:
        call.state = "input-complete"
        try:
            parsed = parse_json(call.arguments)
        except NotJson:
            parsed = MISSING
        for part in self._call_parts(call.id):
            if part.get("state") in _UNTOUCHABLE:
                return
        self._put_call(message_id, call, "input-complete", parsed, call.metadata)

    def _call_parts(self, call_id: Any) -> list[Part]:
        """The first tool-call part with this id in every message."""
        parts = []
        for message in self._by_call.get(call_id, ()):
            at = _find(message, "tool-call", "id", call_id)
            if at is not None:
                parts.append(message["parts"][at])
        return parts

    def _first_holder(self, call_id: Any, *, role: str | None = None) -> Message | None:
        """The first message in the list that holds this call."""
        holders = [held for held in self._by_call.get(call_id, ()) if role is None or held["role"] == role]
        if len(holders) < 2:
            return holders[0] if holders else None
        return next((message for message in self._messages if any(message is held for held in holders)), None)

    def _tool_start(self, chunk: Chunk) -> None:
        parent = chunk.get("parentMessageId")
        message_id, state = self._ensure_assistant(parent if parent is not None else self._active_assistant())
        state.tools_since = True
        call_id = chunk.get("toolCallId")
        if call_id in state.calls:
            return
        call = _Call(call_id, chunk.get("toolCallName", MISSING), chunk.get("metadata"))
        state.calls[call_id] = call
        self._owners[call_id] = message_id
        self._put_call(message_id, call, "awaiting-input", metadata=call.metadata)

    def _owned(self, call_id: Any) -> tuple[Any, _Call | None]:
        owner = self._owners.get(call_id)
        state = self._states.get(owner)
        return owner, state.calls.get(call_id) if state is not None else None

    def _tool_args(self, chunk: Chunk) -> None:
        call_id = chunk.get("toolCallId")
        owner, call = self._owned(call_id)
        if call is None:
            return
        self._add_args(owner, call, _text(chunk.get("delta")))
        self._start_run("TOOL_CALL_ARGS", call_id, lambda added: self._add_args(owner, call, added))

    def _add_args(self, owner: Any, call: _Call, delta: str) -> None:
        call.arguments += delta
        if call.state == "awaiting-input" and delta:
            call.state = "input-streaming"
        self._put_call(owner, call, call.state)

    def _tool_end(self, chunk: Chunk) -> None:
        owner, call = self._owned(chunk.get("toolCallId"))
        if call is None or call.state == "input-complete":
            return
        metadata = chunk.get("metadata")
        given = MISSING
        if "input" in chunk:
            given = chunk["input"]
        elif isinstance(metadata, dict) and isinstance(metadata.get("tanstack"), dict):
            given = metadata["tanstack"].get("input", MISSING)
        if given is not MISSING and not call.arguments:
            call.arguments = stringify(given)
        self._complete_call(owner, call)
        if given is not MISSING:
            self._put_call(owner, call, "input-complete", given, call.metadata)

    def _tool_result(self, chunk: Chunk) -> None:
        call_id = chunk.get("toolCallId")
        owner = self._owners.get(call_id)
        if owner is None:
            holder = self._first_holder(call_id)
            if holder is None:
                return
            owner = holder.get("id")
        content = chunk.get("content", MISSING)
        metadata = chunk.get("metadata")
        tanstack = metadata.get("tanstack") if isinstance(metadata, dict) else None
        states = (chunk.get("state"), tanstack.get("state") if isinstance(tanstack, dict) else None)
        failed = "output-error" in states
        output = output_of(content)
        for part in self._call_parts(call_id):
            if output is not MISSING:
                part["output"] = output
            else:
                part.pop("output", None)
            part["state"] = "error" if failed else "complete"
        result: Part = {"type": "tool-result", "toolCallId": call_id}
        if content is not MISSING:
            result["content"] = content
        result["state"] = "error" if failed else "complete"
        text = error_text(output) if failed else ""
        if text:
            result["error"] = text
        self._put_part(owner, result, "toolCallId", call_id)

    def _put_part(self, message_id: Any, part: Part, key: str, value: Any) -> None:
        for message in self._named(message_id):
            at = _find(message, part["type"], key, value)
            if at is None:
                message["parts"].append(dict(part))
            else:
                message["parts"][at] = dict(part)

    # --- Runs -----------------------------------------------------------------------------------------------

    def _run_started(self, chunk: Chunk) -> None:
        self._runs[chunk.get("runId")] = None

    def _run_finished(self, chunk: Chunk) -> None:
        outcome = chunk.get("outcome")
        interrupted = isinstance(outcome, dict) and outcome.get("type") == "interrupt"
        interrupts = outcome.get("interrupts") if isinstance(outcome, dict) else None
        if interrupted and not isinstance(interrupts, list):
            raise ValueError("an interrupt needs a list of interrupts")
        self._finish_reason = _either(chunk, "finishReason")
        self._runs.pop(chunk.get("runId"), None)
        for interrupt in interrupts or [] if interrupted else []:
            self._interrupt(interrupt)
        if self._runs:
            return
        for message_id in list(self._active):
            self._complete_calls(message_id)
        if self._finish_reason == "tool_calls" and not interrupted:
            return
        self._finalise()

    def _interrupt(self, interrupt: Any) -> None:
        if not isinstance(interrupt, dict) or not truthy(interrupt.get("toolCallId")):
            return
        metadata = interrupt.get("metadata")
        kind = metadata.get("kind") if isinstance(metadata, dict) else None
        if kind != "approval" and interrupt.get("reason") != "approval_required":
            return
        call_id = interrupt["toolCallId"]
        target = self._active_assistant()
        if target is None:
            target = self._owners.get(call_id)
        if target is None:
            holder = self._first_holder(call_id, role="assistant")
            target = holder.get("id") if holder is not None else None
        self._ask_approval(target, call_id, interrupt.get("id", MISSING))

    def _ask_approval(self, message_id: Any, call_id: Any, approval_id: Any) -> None:
        for message in self._named(message_id):
            at = _find(message, "tool-call", "id", call_id)
            if at is not None:
                approval: Part = {} if approval_id is MISSING else {"id": approval_id}
                approval["needsApproval"] = True
                part = {**message["parts"][at], "state": "approval-requested", "approval": approval}
                message["parts"][at] = part

    def _complete_calls(self, message_id: Any) -> None:
        state = self._states.get(message_id)
        if state is not None:
            for call in state.calls.values():
                if call.state != "input-complete":
                    self._complete_call(message_id, call)

    def _finalise(self) -> None:
        last: Any = None
        last_is_blank = False
        for message_id in list(self._active):
            state = self._states.get(message_id)
            if state is None:
                continue
            self._complete_calls(message_id)
            if state.segment != state.emitted:
                self._write_text(message_id, state)
            named = self._named(message_id)
            if named and named[0]["role"] == "assistant":
                last = message_id
                parts = named[0]["parts"]
                # Judged before a broken structured output becomes a part of it.
                last_is_blank = bool(parts) and all(map(_is_blank, parts))
        for message_id in list(self._structured):
            self._structured_error(message_id, "Stream ended without structured-output.complete")
        self._structured.clear()
        self._active.clear()
        if last_is_blank and not self._had_error:
            self._messages = [message for message in self._messages if message.get("id") != last]
            del self._by_id[last]

    def _run_error(self, chunk: Chunk) -> None:
        self._had_error = True
        run_id = chunk.get("runId")
        metadata = chunk.get("metadata")
        tanstack = metadata.get("tanstack") if isinstance(metadata, dict) else None
        if not truthy(run_id) and isinstance(tanstack, dict):
            run_id = tanstack.get("runId")
        if truthy(run_id):
            self._runs.pop(run_id, None)
        else:
            self._runs.clear()
        message_id, _ = self._ensure_assistant()
        if message_id in self._structured:
            self._structured_error(message_id, chunk.get("message") or "An error occurred")
            del self._structured[message_id]

    # --- Reasoning ------------------------------------------------------------------------------------------

    def _put_thinking(self, message_id: Any, state: _State, step: Any) -> None:
        part: Part = {"type": "thinking", "content": whole(state.thinking[step]), "stepId": step}
        if truthy(state.signatures.get(step)):
            part["signature"] = state.signatures[step]
        self._put_part(message_id, part, "stepId", step)

    def _step_started(self, chunk: Chunk) -> None:
        step = chunk["stepName"] if truthy(chunk.get("stepName")) else f"step-{self._seq}"
        active = self._active_assistant()
        state = self._states.get(active) if active is not None else None
        if state is None:
            self._pending_step = step
            return
        state.step = step
        state.thinking.setdefault(step, "")
        self._pending_step = None

    def _step_finished(self, chunk: Chunk) -> None:
        if not truthy(chunk.get("signature")):
            return
        message_id, state = self._ensure_assistant(self._active_assistant())
        step = state.step if state.step is not None else chunk.get("stepId")
        if step not in state.thinking:
            return
        state.signatures[step] = chunk["signature"]
        self._put_thinking(message_id, state, step)

    def _take_pending_step(self, state: _State) -> None:
        if self._pending_step is not None:
            state.step = self._pending_step
            state.thinking.setdefault(self._pending_step, "")
            self._pending_step = None

    def _reasoning(self, chunk: Chunk) -> None:
        message_id, state = self._ensure_assistant(self._active_assistant())
        self._take_pending_step(state)
        step = state.step if state.step is not None else chunk.get("messageId")
        if step not in state.thinking:
            state.thinking[step] = ""
            state.step = step
        self._add_thought(message_id, state, step, _text(chunk.get("delta")))
        self._start_run(
            "REASONING_MESSAGE_CONTENT",
            chunk.get("messageId"),
            lambda added: self._add_thought(message_id, state, step, added),
        )

    def _add_thought(self, message_id: Any, state: _State, step: Any, delta: str) -> None:
        state.thinking[step] = state.thinking.get(step, "") + delta
        self._put_thinking(message_id, state, step)

    def _encrypted(self, chunk: Chunk) -> None:
        value = chunk.get("encryptedValue")
        if not isinstance(value, str) or not value:
            return
        entity = chunk.get("entityId")
        if chunk.get("subtype") == "tool-call":
            for part in self._call_parts(entity):
                part["metadata"] = {**(part.get("metadata") or {}), "thoughtSignature": value}
            _, call = self._owned(entity)
            if call is not None:
                call.metadata = {**(call.metadata or {}), "thoughtSignature": value}
            return
        message_id, state = self._ensure_assistant(self._active_assistant())
        step = state.step if state.step is not None else entity
        state.signatures[step] = value
        state.thinking.setdefault(step, "")
        self._put_thinking(message_id, state, step)

    # --- Custom events --------------------------------------------------------------------------------------

    def _custom(self, chunk: Chunk) -> None:
        name, value = chunk.get("name"), chunk.get("value")
        if not truthy(value):
            return
        value = value if isinstance(value, dict) else {}
        if name == "structured-output.start":
            self._structured[self._structured_target(value)] = None
        elif name == "structured-output.complete":
            message_id = self._structured_target(value)
            self._structured_complete(message_id, value)
            self._structured.pop(message_id, None)
        elif name == "approval-requested":
            call_id = value.get("toolCallId")
            target = self._active_assistant()
            if target is None:
                target = self._owners.get(call_id)
            if target is not None:
                approval = value.get("approval")
                if approval is None:
                    raise ValueError("an approval request needs an approval")
                approval_id = approval.get("id", MISSING) if isinstance(approval, dict) else MISSING
                self._ask_approval(target, call_id, approval_id)
        elif name == "ui-resource":
            target = self._owners.get(value.get("toolCallId"))
            if target is None:
                target = self._active_assistant()
            part: Part = {"type": "ui-resource"}
            keys = ("resource", "toolCallId", "toolName", "serverId", "meta")
            part |= {key: value[key] for key in keys if key in value}
            for message in self._named(target) if target is not None else []:
                message["parts"].append(part)

    def _structured_target(self, value: Chunk) -> Any:
        named = value.get("messageId")
        return self._ensure_assistant(named if named is not None else self._active_assistant())[0]

    def _change_structured(self, message_id: Any, change: Callable[[Part | None], Part | None]) -> None:
        for message in self._named(message_id):
            parts = message["parts"]
            at = next((i for i, part in enumerate(parts) if part.get("type") == "structured-output"), None)
            changed = change(None if at is None else parts[at])
            if changed is None:
                continue
            if at is None:
                parts.append(changed)
            else:
                parts[at] = changed

    def _structured_delta(self, message_id: Any, delta: str) -> None:
        def change(before: Part | None) -> Part:
            before = before or {}
            raw = (before.get("raw") or "") + delta
            part: Part = {"type": "structured-output", "status": "streaming", "raw": whole(raw)}
            try:
                partial = parse_partial(raw)
            except NotJson:
                partial = None
            if partial is not None:
                part["partial"] = partial
            elif "partial" in before:
                part["partial"] = before["partial"]
            if "reasoning" in before:
                part["reasoning"] = before["reasoning"]
            return part

        self._change_structured(message_id, change)

    def _structured_complete(self, message_id: Any, value: Chunk) -> None:
        def change(before: Part | None) -> Part:
            raw = value.get("raw") or (before or {}).get("raw")
            part: Part = {"type": "structured-output", "status": "complete"}
            if "object" in value:
                part["data"] = part["partial"] = value["object"]
            if not raw and "object" in value:
                raw = stringify(value["object"])
            if raw is not None:
                part["raw"] = raw
            if "reasoning" in value:
                part["reasoning"] = value["reasoning"]
            return part

        self._change_structured(message_id, change)

    def _structured_error(self, message_id: Any, message: str) -> None:
        def change(before: Part | None) -> Part | None:
            if before is None:
                return {"type": "structured-output", "status": "error", "raw": "", "errorMessage": message}
            if before.get("status") == "complete":
                return None
            return {**before, "status": "error", "errorMessage": message}

        self._change_structured(message_id, change)

    def _snapshot(self, chunk: Chunk) -> None:
        rows = chunk.get("messages")
        if not isinstance(rows, list):
            raise ValueError("a snapshot needs a list of messages")
        messages = read_snapshot(rows, self._messages, self._new_id)
        self.reset()
        self.replace_messages(messages)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return stringify(value) if truthy(value) else ""


def _find(message: Message, kind: str, key: str, value: Any) -> int | None:
    for index, part in enumerate(message["parts"]):
        if part.get("type") == kind and part.get(key) == value:
            return index
    return None


def _either(chunk: Chunk, key: str) -> Any:
    if key in chunk:
        return chunk[key]
    metadata = chunk.get("metadata")
    tanstack = metadata.get("tanstack") if isinstance(metadata, dict) else None
    return tanstack.get(key) if isinstance(tanstack, dict) else None


def _is_moment(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 8.64e15


def _is_blank(part: Part) -> bool:
    return part.get("type") == "text" and blank(part.get("content") or "")


_HANDLERS: Final[dict[str, Callable[[StreamProcessor, Chunk], None]]] = {
    "TEXT_MESSAGE_START": StreamProcessor._text_start,
    "TEXT_MESSAGE_CONTENT": StreamProcessor._text_content,
    "TEXT_MESSAGE_END": StreamProcessor._text_end,
    "TOOL_CALL_START": StreamProcessor._tool_start,
    "TOOL_CALL_ARGS": StreamProcessor._tool_args,
    "TOOL_CALL_END": StreamProcessor._tool_end,
    "TOOL_CALL_RESULT": StreamProcessor._tool_result,
    "RUN_STARTED": StreamProcessor._run_started,
    "RUN_FINISHED": StreamProcessor._run_finished,
    "RUN_ERROR": StreamProcessor._run_error,
    "STEP_STARTED": StreamProcessor._step_started,
    "STEP_FINISHED": StreamProcessor._step_finished,
    "REASONING_MESSAGE_CONTENT": StreamProcessor._reasoning,
    "REASONING_ENCRYPTED_VALUE": StreamProcessor._encrypted,
    "CUSTOM": StreamProcessor._custom,
    "MESSAGES_SNAPSHOT": StreamProcessor._snapshot,
}
