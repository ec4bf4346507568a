"""The tool calls of one answer, as far as the AI SDK's client knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ...protocol.chunks import Chunk
from ...transcript.js import added_text
from ...transcript.results import error_text, output_of
from ...transcript.values import MISSING, record, tanstack
from .frames import UIChunk
from .names import CUT_OFF, input_of, provider_metadata


class State(Enum):
    """How a call stands for the client."""

    OPEN = "open"
    """Its input is being written."""
    COMPLETE = "complete"
    """Its input is complete, or will never be."""


@dataclass(slots=True)
class Call:
    """One call. ``metadata`` are the provider's, which a later send of the message has to bring back."""

    call_id: str
    name: str
    metadata: dict[str, Any]
    state: State = State.OPEN
    arguments: list[str] = field(default_factory=list)


class Calls:
    """Turns the chunks of tool calls into the client's, which throws at a result without its call.

    ``known`` are ids of calls in the message that the answer continues.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)
        self._calls: dict[str, Call] = {}

    @property
    def any_open(self) -> bool:
        """Whether the input of any call is still being written."""
        return any(call.state is State.OPEN for call in self._calls.values())

    def knows(self, call_id: Any) -> bool:
        """Return whether the client has a part for this call."""
        return isinstance(call_id, str) and (call_id in self._calls or call_id in self._known)

    def is_own(self, call_id: Any) -> bool:
        """Return whether this answer made the call."""
        return isinstance(call_id, str) and call_id in self._calls

    def can_start(self, call_id: Any) -> bool:
        """Return whether a call with this id can begin in this answer."""
        return isinstance(call_id, str) and call_id not in self._calls

    def start(self, chunk: Chunk) -> UIChunk:
        """Begin a call, which ``can_start`` allows."""
        name = chunk.get("toolCallName")
        call = Call(chunk["toolCallId"], name if isinstance(name, str) else "", dict(record(chunk.get("metadata"))))
        self._calls[call.call_id] = call
        return {"type": "tool-input-start", "toolCallId": call.call_id, "toolName": call.name, "dynamic": True}

    def args(self, chunk: Chunk) -> Iterator[UIChunk]:
        """Add to the input of a call."""
        call = self._open(chunk.get("toolCallId"))
        delta = added_text(chunk.get("delta"))
        if call is not None and delta:
            call.arguments.append(delta)
            yield {"type": "tool-input-delta", "toolCallId": call.call_id, "inputTextDelta": delta}

    def end(self, call_id: Any, given: Any = MISSING) -> Iterator[UIChunk]:
        """Complete the input of a call. ``given`` is the last word on it."""
        call = self._open(call_id)
        if call is None:
            return
        call.state = State.COMPLETE
        part: dict[str, Any] = {"arguments": "".join(call.arguments)}
        if given is not MISSING:
            part["input"] = given
        readable, found = input_of(part)
        shown: UIChunk = {"toolCallId": call.call_id, "toolName": call.name, "input": found, "dynamic": True}
        metadata = provider_metadata(call.metadata)
        if metadata is not None:
            shown["providerMetadata"] = metadata
        if readable:
            yield {"type": "tool-input-available", **shown}
        else:
            # Without `providerExecuted` the client would send the failed call back, and be answered with the next.
            yield {"type": "tool-input-error", **shown, "errorText": CUT_OFF, "providerExecuted": True}

    def end_all(self) -> Iterator[UIChunk]:
        """Complete the calls that are still open."""
        for call_id in list(self._calls):
            yield from self.end(call_id)

    def result(self, chunk: Chunk) -> Iterator[UIChunk]:
        """Set the result of a call that the server ran."""
        call_id = chunk.get("toolCallId")
        if not self.knows(call_id):
            return
        yield from self.end(call_id)
        output = output_of(chunk.get("content", MISSING))
        output = None if output is MISSING else output
        shown: UIChunk = {"toolCallId": call_id, "providerExecuted": True, "dynamic": True}
        if "output-error" in (chunk.get("state"), tanstack(chunk).get("state")):
            yield {"type": "tool-output-error", **shown, "errorText": error_text(output)}
        else:
            yield {"type": "tool-output-available", **shown, "output": output}

    def ask(self, call_id: Any, approval_id: Any) -> Iterator[UIChunk]:
        """Ask the user to approve a call."""
        if not self.knows(call_id) or not isinstance(approval_id, str):
            return
        yield from self.end(call_id)
        yield {"type": "tool-approval-request", "approvalId": approval_id, "toolCallId": call_id}

    def sign(self, call_id: Any, signature: str) -> None:
        """Attach a provider's signature to a call."""
        call = self._calls.get(call_id) if isinstance(call_id, str) else None
        if call is not None:
            call.metadata["thoughtSignature"] = signature

    def _open(self, call_id: Any) -> Call | None:
        call = self._calls.get(call_id) if isinstance(call_id, str) else None
        return call if call is not None and call.state is State.OPEN else None
