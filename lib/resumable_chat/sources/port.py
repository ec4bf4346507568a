"""What a model source is, and how its chunks are read.

A source is called with the messages and, if it takes a second argument, a SourceContext. It may be an async generator
function, a plain generator function (read in a thread), a function or coroutine that returns an iterator of either
kind, or an object with such a ``__call__``. It yields dicts, AG-UI event objects, or strings, which are text deltas.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any

from .errors import SourceError
from .events import EventReader
from .lazy import LazySource
from .threads import read_in_thread
from .watch import LoopWatch

__all__ = ["Chunk", "Messages", "Source", "SourceContext", "SourceError", "iterate"]

logger = logging.getLogger(__name__)

Chunk = dict[str, Any]
"""One AG-UI event."""

Messages = Sequence[Mapping[str, Any]]
"""The conversation: UIMessages with ``parts``, or AG-UI rows with ``content``."""


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
    resume: Sequence[Mapping[str, Any]] = ()
    parent_run_id: str | None = None
    tools: Sequence[Any] = ()


Made = AsyncIterator[Any] | Iterator[Any] | str
Source = Callable[[Messages, SourceContext], Made | Awaitable[Made]] | Callable[[Messages], Made | Awaitable[Made]]
"""Called with the messages and the context; returns, or is, an iterator of chunks."""


async def iterate(source: Source, messages: Messages, context: SourceContext) -> AsyncGenerator[Chunk, None]:
    """Call the source and yield its chunks as dicts.

    Closing this closes the iterator that the source returned, never the source itself. Raises what the source raises,
    and SourceError if the source returns or yields something else than chunks, or ends with a CancelledError although
    nobody cancelled this task.
    """
    task = asyncio.current_task()
    cancels = task.cancelling() if task is not None else 0
    reader = EventReader(context.message_id)
    empty = True
    try:
        if isinstance(source, LazySource):
            source = await source.load()
        with LoopWatch(_name(source)):
            items = await _open(source, messages, context)
            try:
                async for item in items:
                    chunk = reader.read(item)
                    if chunk is not None:
                        empty = False
                        yield chunk
            finally:
                await _close(items, unless=source)
            rest = reader.end()
            if rest is not None:
                yield rest
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling() > cancels:
            raise
        raise SourceError(
            "the source ended with a CancelledError of its own; the usual cause is a cancel scope that it left open"
        ) from error
    if empty:
        logger.warning(
            "the source %s yielded nothing, so its answer is empty. Yield strings, or AG-UI events such as %s.",
            _name(source),
            '{"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "…"}',
        )


async def _open(source: Source, messages: Messages, context: SourceContext) -> AsyncIterable[Any]:
    """Call the source and return what it yields as something to iterate over. Raises SourceError."""
    made: Any = call_source(source, messages, context)
    while inspect.isawaitable(made):
        made = await made
    if isinstance(made, AsyncIterable):
        return made
    if isinstance(made, (str, Mapping)) or hasattr(made, "model_dump"):
        made = [made]
    if isinstance(made, Iterable) and not isinstance(made, (bytes, bytearray)):
        return read_in_thread(lambda: iter(made))
    raise SourceError(
        f"the source {_name(source)} returned {type(made).__name__}; it must yield chunks, or return an iterator of "
        "chunks"
    )


def call_source(source: Source, messages: Messages, context: SourceContext) -> Any:
    """Call a source with as many arguments as it takes. Raises what it raises, and SourceError if it takes others."""
    called: Callable[..., Any] = source
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # builtins have none, and what cannot be called says so itself
        return called(messages, context)
    for arguments, keywords in (((messages, context), {}), ((messages,), {"context": context}), ((messages,), {})):
        try:
            signature.bind(*arguments, **keywords)
        except TypeError:
            continue
        return called(*arguments, **keywords)
    raise SourceError(f"the source {_name(source)} takes {signature}; it must take (messages, context) or (messages)")


async def _close(iterator: Any, *, unless: Any) -> None:
    """Close an iterator, unless it is the source, which other runs may use.

    Async generators have ``aclose``, the streams of some client libraries ``close``.
    """
    if iterator is unless:
        return
    close = getattr(iterator, "aclose", None) or getattr(iterator, "close", None)
    if close is not None:
        closing = close()
        if inspect.isawaitable(closing):
            await closing


def _name(source: Any) -> str:
    named = source if hasattr(source, "__qualname__") else type(source)
    return f"{named.__module__}.{named.__qualname__}"
