"""Makes a whole, well-formed generation of the events that a source yields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from .chunks import TERMINALS, Chunk, run_started, text_start
from .open_parts import OpenParts
from .outcomes import Ending
from .source_events import Unusable, usable

_NEEDS_MESSAGE: Final = ("TEXT_MESSAGE_", "TOOL_CALL_", "REASONING_", "THINKING_", "STEP_", "RUN_ERROR")
_CUSTOM_NEEDS_MESSAGE: Final = frozenset({"structured-output.start", "structured-output.complete", "ui-resource"})
_PLAIN_END: Final = frozenset({"type", "messageId", "timestamp"})


class State(Enum):
    """How far the answer has come."""

    UNSTARTED = "unstarted"
    """Nothing was stored, and a RUN_STARTED is owed."""
    UNANSWERED = "unanswered"
    """A run has started; the START of the assistant's message is owed to the first chunk that needs one."""
    STOOD_IN = "stood in"
    """We opened the assistant's message; the source's own START of it is renamed when it comes."""
    ANSWERING = "answering"
    """The source opened its message itself, or has taken over the one that we opened."""


class Lifecycle:
    """Completes the chunk sequence of one generation, and keeps its books in ``parts``.

    * RUN_STARTED comes first, and a run's terminal names the id that its RUN_STARTED named. Both have a ``threadId``.
    * The assistant's TEXT_MESSAGE_START precedes the first chunk that needs a message. A reasoning-first or tool-first
      answer would otherwise attach to the message of an earlier turn in tabs that only watch.
    * Open text messages end before the terminal of the last open run. An END is held back until the source's next
      chunk, for the one before the terminal also carries the outcome.
    """

    def __init__(
        self,
        run_id: str,
        thread_id: str,
        message_id: str,
        *,
        parent_run_id: str | None = None,
        asked_id: str | None = None,
        started_at: int | None = None,
    ) -> None:
        self.parts = OpenParts(run_id, message_id, asked_id=asked_id, thread_id=thread_id, started_at=started_at)
        self.state = State.UNSTARTED
        self._run_id = run_id
        self._thread_id = thread_id
        self._message_id = message_id
        self._parent_run_id = parent_run_id
        self._held: Chunk | None = None
        self._renamed: dict[str, str] = {}

    def feed(self, event: object, at: int) -> Iterator[Chunk]:
        """Yield the chunks to store for the source's next event, yielded at ``at`` (milliseconds since 1970).

        Each chunk enters the books once the next one is asked for, so take them all, and stop when one cannot be
        stored. Raises Unusable for an event that cannot be stored as anything.
        """
        chunk = usable(event)
        if chunk["type"] in TERMINALS:
            yield from self._terminal(chunk, at)
            return
        if self._held is not None:
            yield from self._note(self._release(), at)
        if chunk["type"] == "TEXT_MESSAGE_END" and chunk.keys() <= _PLAIN_END:
            self._held = self._renamed_in(self._addressed(chunk))
        elif chunk["type"] == "RUN_STARTED":
            yield from self._note([self._started(chunk)], at)
            self.state = self.state if self.parts.answered else State.UNANSWERED
        else:
            chunk = self._addressed(chunk)
            if self.state in (State.UNSTARTED, State.UNANSWERED):
                yield from self._opening(chunk, at)
            chunk = self._renamed_in(chunk)
            yield chunk
            self.parts.feed(chunk, at)

    def end(self, ending: Ending, at: int) -> Iterator[Chunk]:
        """Yield the chunks that end the generation, as ``feed`` does."""
        self._held = None
        yield from self._note(self.parts.end(ending, at), at)

    def _note(self, chunks: Iterable[Chunk], at: int) -> Iterator[Chunk]:
        for chunk in chunks:
            yield chunk
            self.parts.feed(chunk, at)

    def _terminal(self, chunk: Chunk, at: int) -> Iterator[Chunk]:
        if self.parts.settled and not isinstance(chunk.get("outcome"), dict):
            raise Unusable(f"a {chunk['type']} for a run that has ended")
        self._held = None
        yield from self._opening(chunk, at)
        chunk = self._matching(chunk)
        yield from self._note([*self.parts.before(chunk, at), chunk], at)

    def _release(self) -> list[Chunk]:
        """Return the END that was held back, now that it is known not to be the last chunk of its run."""
        held, self._held = self._held, None
        return [] if held is None else [held]

    def _opening(self, chunk: Chunk, at: int) -> Iterator[Chunk]:
        """Yield what has to come before this chunk."""
        if self.state is State.UNSTARTED:
            yield from self._note([self._started(run_started(self._run_id))], at)
            self.state = State.UNANSWERED
        if self.state is State.UNANSWERED and _needs_message(chunk):
            if chunk["type"] == "TEXT_MESSAGE_START" and _is_assistants(chunk):
                self.state = State.ANSWERING
            else:
                yield from self._note([self._stand_in(chunk)], at)
                self.state = State.STOOD_IN

    def _started(self, chunk: Chunk) -> Chunk:
        chunk = {"runId": self._run_id, "threadId": self._thread_id} | chunk
        if self._parent_run_id is not None and chunk["runId"] == self._run_id:
            chunk.setdefault("parentRunId", self._parent_run_id)
        return chunk

    def _matching(self, chunk: Chunk) -> Chunk:
        """Return the terminal with the id of the run that it ends."""
        runs = self.parts.runs
        run_id = chunk.get("runId", self._run_id)
        if runs and run_id not in runs:
            run_id = next(reversed(runs)) or self._run_id
        thread = {} if chunk["type"] == "RUN_ERROR" else {"threadId": self._thread_id}
        return thread | chunk | {"runId": run_id}

    def _stand_in(self, chunk: Chunk) -> Chunk:
        """Return the START of the assistant's message, under the id that the source gives it if this can be told."""
        named = chunk.get("parentMessageId")
        # A reasoning chunk's own messageId names the thought, a result's the row of the tool.
        if named is None and chunk["type"].startswith("TEXT_MESSAGE_") and _is_assistants(chunk):
            named = chunk["messageId"]
        return text_start(named or self._message_id)

    def _addressed(self, chunk: Chunk) -> Chunk:
        """Return a text chunk with the id of its message, which is the answer if the source did not say."""
        if "messageId" in chunk or not chunk["type"].startswith("TEXT_MESSAGE_"):
            return chunk
        return {**chunk, "messageId": self.parts.assistant or self._message_id}

    def _renamed_in(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the id that was given out for the source's own."""
        if self.state is State.STOOD_IN and chunk["type"] == "TEXT_MESSAGE_START" and _is_assistants(chunk):
            self.state = State.ANSWERING
            ours = self.parts.assistant
            if ours is not None and chunk["messageId"] != ours:
                self._renamed[chunk["messageId"]] = ours
        if not self._renamed or _is_reasoning(chunk):
            return chunk
        named = {key: self._renamed.get(chunk[key]) for key in ("messageId", "parentMessageId") if key in chunk}
        return chunk | {key: ours for key, ours in named.items() if ours is not None}


def _needs_message(chunk: Chunk) -> bool:
    if chunk["type"] == "CUSTOM":
        return chunk["name"] in _CUSTOM_NEEDS_MESSAGE
    return bool(chunk["type"].startswith(_NEEDS_MESSAGE))


def _is_assistants(chunk: Chunk) -> bool:
    return chunk.get("role") not in ("user", "system")


def _is_reasoning(chunk: Chunk) -> bool:
    return bool(chunk["type"].startswith(("REASONING_", "STEP_")))
