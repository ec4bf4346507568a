"""One run as AG-UI events, in an order that the verifiers of strict clients take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from ...protocol.chunks import TERMINALS, Chunk
from ...protocol.outcomes import Ending
from ...transcript.snapshot import read_snapshot
from ...transcript.values import Unfoldable, restored
from .calls import Calls
from .ends import Dialect, first_event, last_event
from .fields import Event
from .passing import passing
from .rows import message_rows
from .texts import Texts
from .thoughts import Thoughts

_MAX_USAGES: Final = 32


class RunRewriter:
    """Makes the events of one generation, which becomes one run, of its chunks in their order.

    RUN_STARTED comes first and once. The last terminal alone is sent, when the generation is over, behind the ends of
    all that is open. ``users`` are the ids of the messages that the run answers, ``answered`` the calls whose results
    the client has as rows of its own. Chunks that AG-UI has no place for yield nothing, whatever they hold.
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
        self._answered = answered
        self._texts = Texts(run_id, users)
        self._calls = Calls()
        self._thoughts = Thoughts()
        self._steps: dict[str, None] = {}
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
        closing = list(self._close())
        last = last_event(
            self._dialect, self._run_id, ending, self._terminal, self._usages, pending=self._calls.pending
        )
        return [*closing, last]

    def _close(self) -> Iterator[Event]:
        yield from self._thoughts.close()
        yield from self._texts.close()
        yield from self._calls.close()
        for step in self._steps:
            yield {"type": "STEP_FINISHED", "stepName": step}
        self._steps = {}

    def _apart(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield events that end the open thought, if there are any."""
        for event in events:
            yield from self._thoughts.close()
            yield event

    def _run(self, chunk: Chunk) -> Iterable[Event]:
        if chunk["type"] == "RUN_STARTED":
            self._terminal = None
            self._texts.untold()
            return ()
        self._terminal = chunk
        if chunk.get("usage") is not None and len(self._usages) < _MAX_USAGES:
            self._usages.append(chunk["usage"])
        return ()

    def _text_started(self, chunk: Chunk) -> Iterable[Event]:
        return self._apart(self._texts.start(chunk))

    def _text(self, chunk: Chunk) -> Iterable[Event]:
        return self._apart(self._texts.content(chunk))

    def _text_ended(self, chunk: Chunk) -> Iterable[Event]:
        return self._apart(self._texts.end(chunk))

    def _call_started(self, chunk: Chunk) -> Iterator[Event]:
        call_id = chunk.get("toolCallId")
        if not isinstance(call_id, str) or call_id in self._calls:
            return
        owner = self._texts.owner(chunk.get("parentMessageId"))
        yield from self._apart(self._texts.show(owner))
        yield from self._thoughts.close()
        yield self._calls.start(call_id, owner, self._texts.rows(owner).call(call_id), chunk)

    def _call_arguments(self, chunk: Chunk) -> Iterable[Event]:
        return self._calls.arguments(chunk)

    def _call_ended(self, chunk: Chunk) -> Iterable[Event]:
        return self._calls.end(chunk)

    def _call_answered(self, chunk: Chunk) -> Iterable[Event]:
        call_id = chunk.get("toolCallId")
        if not isinstance(call_id, str) or (call_id in self._answered and call_id not in self._calls):
            return ()
        owner = self._calls.owner(call_id)
        if owner is not None:
            row = self._texts.rows(owner).result(call_id)
        else:
            row = chunk["messageId"] if isinstance(chunk.get("messageId"), str) else f"result-{call_id}"
        return self._apart(self._calls.answer(call_id, row, chunk))

    def _thought(self, chunk: Chunk) -> Iterable[Event]:
        return self._thoughts.content(chunk, lambda: self._texts.rows(self._texts.owner()).thought())

    def _thought_ended(self, chunk: Chunk) -> Iterable[Event]:
        return self._thoughts.close()

    def _signature(self, chunk: Chunk) -> Iterable[Event]:
        return self._thoughts.signature(chunk)

    def _step(self, chunk: Chunk) -> Iterator[Event]:
        step = chunk.get("stepName")
        starts = chunk["type"] == "STEP_STARTED"
        if not isinstance(step, str) or starts == (step in self._steps):
            return
        yield from self._thoughts.close()
        if starts:
            self._steps[step] = None
        else:
            del self._steps[step]
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
        yield from self._close()
        self._texts.forget()
        self._thoughts = Thoughts()
        listed = [
            row
            for message in messages
            for row in message_rows(message, self._texts.rows(message["id"]), files=self._dialect.current)
        ]
        yield {"type": "MESSAGES_SNAPSHOT", "messages": listed}


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
