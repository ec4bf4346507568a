"""Agents that speak AG-UI as sources: LangGraph, Strands, CrewAI and others, through their AG-UI adapters.

Anything with ``run(RunAgentInput)`` that yields AG-UI events will do. Its events pass a filter, because most of what
such adapters send is of no use to a chat: nine tenths of the bytes of ag-ui-langgraph are copies of its inner events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

from .errors import SourceError
from .events import EventReader
from .history import run_input
from .port import Chunk, Messages, SourceContext

_DROPPED: Final = frozenset({"RAW", "MESSAGES_SNAPSHOT", "STATE_SNAPSHOT", "STATE_DELTA"})
_IDS: Final = ("messageId", "parentMessageId")
_OTHER_IDS: Final = ("REASONING_", "THINKING_", "STEP_", "ACTIVITY_", "TOOL_CALL_RESULT")
"""Events whose ``messageId`` is not that of an assistant's message."""


class AguiAgent(Protocol):
    """An agent that speaks AG-UI."""

    def run(self, input: Any) -> Any:  # noqa: A002 - the adapters' name for it
        """Return an asynchronous iterator of AG-UI events for a ``RunAgentInput``."""


class EventFilter:
    """Makes an agent's events those of our run.

    * Copies (``RAW``, ``rawEvent``, a run's ``input``), snapshots of the messages and states are dropped. With
      ``keep_state``, the last STATE_SNAPSHOT comes before the end of the run.
    * ``runId`` and ``threadId`` become ours, and the first assistant message gets the id of the context.
    * A RUN_ERROR becomes a SourceError: its text, the provider's, is for the log.
    """

    def __init__(self, context: SourceContext, *, keep_state: bool = False, keep_timestamps: bool = False) -> None:
        self._context = context
        self._keep_state = keep_state
        self._keep_timestamps = keep_timestamps
        self._state: Chunk | None = None
        self._first_id: str | None = None
        self.finished = False

    def wants(self, event: Any) -> bool:
        """Tell, before an event is made a dict, whether anything of it is passed on."""
        kind = event.get("type") if isinstance(event, dict) else getattr(event, "type", None)
        kind = getattr(kind, "value", kind)
        return kind not in _DROPPED or (kind == "STATE_SNAPSHOT" and self._keep_state)

    def feed(self, chunk: Chunk) -> list[Chunk]:
        """Return the chunks to pass on for an event. Raises SourceError if it is a RUN_ERROR."""
        kind = chunk["type"]
        if kind == "STATE_SNAPSHOT" and self._keep_state:
            self._state = self._clean(chunk)
        if kind in _DROPPED:
            return []
        if kind == "RUN_ERROR":
            raise SourceError(f"the agent reported an error: {chunk.get('message') or chunk.get('code') or chunk}")
        chunk = self._clean(chunk)
        if kind in ("RUN_STARTED", "RUN_FINISHED"):
            chunk |= {"runId": self._context.run_id, "threadId": self._context.thread_id}
            chunk.pop("input", None)
        if kind == "RUN_FINISHED":
            self.finished = True
            state, self._state = self._state, None
            return [chunk] if state is None else [state, chunk]
        if not kind.startswith(_OTHER_IDS):
            self._rename(chunk)
        return [chunk]

    def _clean(self, chunk: Chunk) -> Chunk:
        cleaned = {key: value for key, value in chunk.items() if key not in ("rawEvent", "raw_event")}
        if not self._keep_timestamps:
            cleaned.pop("timestamp", None)
        return cleaned

    def _rename(self, chunk: Chunk) -> None:
        for key in _IDS:
            theirs = chunk.get(key)
            if not isinstance(theirs, str):
                continue
            if self._first_id is None and chunk.get("role", "assistant") == "assistant":
                self._first_id = theirs
            if theirs == self._first_id:
                chunk[key] = self._context.message_id


class AguiSource:
    """Runs an agent that speaks AG-UI.

    ``agent.clone()``, if there is one, is run instead of the agent, which may keep state of its run. ``thread_per_run``
    gives each run a thread of its own in the agent's memory: the whole history comes from the log, and an agent that
    remembers it as well, as LangGraph's checkpoints do, would have each message twice. None means: if the agent has
    ``clone``. An agent that must resume its own interrupted runs needs False.
    """

    def __init__(
        self,
        agent: AguiAgent,
        *,
        keep_state: bool = False,
        keep_timestamps: bool = False,
        thread_per_run: bool | None = None,
    ) -> None:
        self._agent = agent
        self._keep_state = keep_state
        self._keep_timestamps = keep_timestamps
        self._thread_per_run = hasattr(agent, "clone") if thread_per_run is None else thread_per_run

    async def __call__(self, messages: Messages, context: SourceContext) -> AsyncIterator[Chunk]:
        given = run_input(messages, context)
        if self._thread_per_run:
            given = given.model_copy(update={"thread_id": f"{context.thread_id}:{context.run_id}"})
        agent: Any = self._agent.clone() if hasattr(self._agent, "clone") else self._agent
        events = EventFilter(context, keep_state=self._keep_state, keep_timestamps=self._keep_timestamps)
        made = agent.run(given)
        reader = EventReader(context.message_id)
        try:
            async for event in made:
                if not events.wants(event):
                    continue
                chunk = reader.read(event)
                for kept in events.feed(chunk) if chunk is not None else ():
                    yield kept
        finally:
            close = getattr(made, "aclose", None)
            if close is not None:
                await close()
        if not events.finished:
            raise SourceError("the agent broke off in the middle of its run: its events have no RUN_FINISHED")


def is_agui_agent(value: Any) -> bool:
    """Tell whether a value is an agent that speaks AG-UI, from its looks: it has ``run`` and is not callable."""
    return callable(getattr(value, "run", None)) and not isinstance(value, type) and not callable(value)
