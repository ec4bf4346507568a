"""An event loop in virtual time, whose processes can be frozen and killed."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Coroutine
from typing import Any

CURRENT: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Process:
    """What runs in one context: everything in it stands still while it is frozen, and for ever once it is dead."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.name = name
        self.loop = loop
        self.frozen = False
        self.dead = False
        self._held: list[asyncio.Handle] = []
        self._context = contextvars.Context()
        self._context.run(CURRENT.set, self)

    def task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``work`` in this process."""
        return self.loop.create_task(work, context=self._context.copy())

    def hold(self, handle: asyncio.Handle) -> None:
        self._held.append(handle)

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        if not self.dead:
            self.frozen = False
            self._release()

    def kill(self) -> None:
        self.dead = self.frozen = True

    def bury(self) -> None:
        """Let the tasks of a killed process unwind; by then nothing they do reaches anyone."""
        self.frozen = False
        self._release()
        for task in self.loop.tasks_of(self):
            task.cancel()

    def _release(self) -> None:
        held, self._held = self._held, []
        for handle in held:
            self.loop.ready(handle)


class Stalled(Exception):
    """Nothing can happen any more, and the main task is not done."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready; when nothing is, jumps to the next timer. No I/O, no threads, no real time."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._made: list[tuple[Process | None, asyncio.Task[Any]]] = []
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    def time(self) -> float:
        return self._now

    def ready(self, handle: asyncio.Handle) -> None:
        self._ready.append(handle)  # type: ignore[attr-defined]

    def tasks_of(self, process: Process | None) -> list[asyncio.Task[Any]]:
        """The unfinished tasks of a process, in the order in which they were made."""
        self._made = [(owner, task) for owner, task in self._made if not task.done()]
        return [task for owner, task in self._made if owner is process]

    def _make_task(
        self, loop: Any, work: Coroutine[Any, Any, Any], context: contextvars.Context | None = None, **named: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, context=context, **named)
        owner = (context or contextvars.copy_context()).get(CURRENT)
        self._made.append((owner, task))
        if len(self._made) > 500:
            self._made = [(owner, made) for owner, made in self._made if not made.done()]
        return task

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        scheduled: Any = self._scheduled  # type: ignore[attr-defined]
        if not ready:
            while scheduled and scheduled[0].cancelled():
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Stalled
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            self._now = max(self._now, timer.when())
            ready.append(timer)
        handle = ready.popleft()
        if handle.cancelled():
            return
        process = handle._context.get(CURRENT)
        if process is not None and process.frozen:
            process.hold(handle)
        else:
            handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass
