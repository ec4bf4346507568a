"""A log in virtual time that answers in a millisecond or never, and the clocks of processes beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

from resumable_chat.engine import steps

from .. import virtual
from ..simulation.loop import Process, VirtualLoop
from ..simulation.network import EPOCH_MS, NetworkLog, Server, Weather

T = TypeVar("T")


class CalmLog(NetworkLog):
    """A log whose operations take a millisecond. Those named in ``silent`` never answer; ``appends`` counts them."""

    def __init__(self, server: Server | None = None) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.server = server or Server(loop)
        super().__init__(self.server, Process(loop, "p"), Weather(0.001, 0, 0, 0, 0, 0), Random(1))
        self.silent: set[str] = set()
        self.appends = 0

    async def append(self, *args: Any, **options: Any) -> Any:
        self.appends += 1
        await self._hang("append")
        return await super().append(*args, **options)

    async def tail(self, *args: Any) -> Any:
        await self._hang("tail")
        return await super().tail(*args)

    async def read(self, *args: Any, **options: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        await self._hang("read")
        async for records in super().read(*args, **options):
            yield records

    async def _hang(self, operation: str) -> None:
        if operation in self.silent:
            await asyncio.get_running_loop().create_future()


def run(test: Callable[[], Coroutine[Any, Any, T]], *, clock_ahead: float = 0.0) -> T:
    """Run a test in virtual time, in a process whose clock is so many seconds ahead of the log's."""

    def time_ns() -> int:
        return int((EPOCH_MS / 1000 + asyncio.get_running_loop().time() + clock_ahead) * 1e9)

    async def whole() -> T:
        try:
            return await test()
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=60)

    with mock.patch.object(steps, "time", SimpleNamespace(time_ns=time_ns)):
        return virtual.run(whole())


@contextmanager
def taking(seconds: float, tolerance: float = 0.3) -> Any:
    """Check how long the block takes, in virtual time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    yield
    assert abs(loop.time() - began - seconds) < tolerance, loop.time() - began
