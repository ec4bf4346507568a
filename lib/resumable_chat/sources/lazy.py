"""Sources that are loaded when they are first needed: behind the response to a send, not before it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .port import SourceContext


class LazySource:
    """A source that ``load`` makes, once, in a thread: importing a model library may take seconds."""

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.name = name
        self._load = load
        self._lock = threading.Lock()
        self._loaded: Any = None

    async def __call__(self, messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Any]:
        """Yield the chunks of the source."""
        from .port import iterate

        async for chunk in iterate(self, messages, context):
            yield chunk

    async def load(self) -> Any:
        """Return the source. Raises what its making raises, each time."""
        return self._loaded if self._loaded is not None else await asyncio.to_thread(self.load_now)

    def load_now(self) -> Any:
        """Return the source, made in the calling thread."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded
