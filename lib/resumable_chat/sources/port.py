"""What a model source is: anything that turns messages into a stream of AG-UI chunks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ChatError

Chunk = dict[str, Any]
"""One AG-UI event."""


class SourceError(ChatError):
    """A model source failed: the model's server answered with an error, or its stream broke off."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source gets to know besides the messages.

    ``message_id`` is a fresh id for the assistant's message, ``data`` what the client sent along, ``resume`` its
    answers to open interrupts, ``parent_run_id`` the run that it continues, ``tools`` the client's own tools.
    ``deadline`` is the event loop's time at which the platform ends the process (None: never). ``aborted`` is set when
    the run has ended otherwise; the source is cancelled as well.
    """

    stream: str
    run_id: str
    thread_id: str
    message_id: str
    data: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    resume: Mapping[str, Any] | Sequence[Any] = ()
    parent_run_id: str | None = None
    tools: Sequence[Any] = ()


Messages = Sequence[Mapping[str, Any]]

Source = Callable[[Messages, SourceContext], AsyncIterator[Any] | Awaitable[AsyncIterator[Any]]]
"""Called with the messages and the context; returns, or is, an async iterator of chunks.

A chunk is a dict, or an AG-UI event object with pydantic's ``model_dump``.
"""


async def iterate(source: Source, messages: Messages, context: SourceContext) -> AsyncGenerator[Chunk, None]:
    """The source's chunks as dicts. Raises SourceError if it yields anything else. Closing this closes the source."""
    made: Any = source(messages, context)
    if inspect.isawaitable(made):
        made = await made
    if not hasattr(made, "__aiter__"):
        raise SourceError(f"the source must return an async iterator of chunks, not {type(made).__name__}")
    try:
        async for chunk in made:
            yield _as_dict(chunk)
    finally:
        close = getattr(made, "aclose", None)
        if close is not None:
            await close()


def _as_dict(chunk: Any) -> Chunk:
    if isinstance(chunk, dict):
        found = chunk
    elif hasattr(chunk, "model_dump"):
        found = chunk.model_dump(mode="json", by_alias=True, exclude_none=True)
    else:
        raise SourceError(f"a source must yield chunks (dicts or AG-UI events), not {type(chunk).__name__}")
    if not isinstance(found.get("type"), str):
        raise SourceError("every chunk needs a string `type`")
    return found
