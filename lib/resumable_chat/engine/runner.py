"""Runs a source behind a claim: its chunks go to the log, and the generation ends whole whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from ..log.port import Log
from ..protocol import tokens
from ..protocol.lifecycle import Lifecycle
from ..protocol.outcomes import DEFAULT_ERROR, SHUTDOWN, Ending, Outcome
from ..protocol.writer import State, Writer
from ..sources.port import Source, SourceContext, iterate
from .claim import Claimed
from .pump import Lost, Pump
from .steps import now_ms

logger = logging.getLogger(__name__)

DEADLINE_MARGIN: Final = 5.0
"""Seconds before the platform's deadline at which a generation ends itself."""

UNWINDING: Final = 5.0
"""Seconds that a source gets to unwind once its generation has ended."""

_END_FIRST: Final = 2.0
"""Seconds that the log has to take the end before the source is called off anyway."""

_MOST_WARNINGS: Final = 20
_TOO_LONG: Final = "The answer took longer than this server allows."

SHUT_DOWN: Final = Ending(Outcome.FAILED, error=DEFAULT_ERROR, code=SHUTDOWN)
"""How a run ends whose process is told to go."""

ABANDONED: Final = Ending(Outcome.FAILED, error=DEFAULT_ERROR)
"""How a run ends that nobody takes over after its claim."""


@dataclass(frozen=True, slots=True)
class Run:
    """One answer to be made: what the source gets to know, and the user's message that it answers."""

    run_id: str
    thread_id: str
    message_id: str
    messages: Sequence[Mapping[str, Any]]
    data: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    """Loop time at which the platform ends this process."""
    asked_id: str | None = None
    parent_run_id: str | None = None
    resume: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Any] = ()


def default_on_error(error: BaseException) -> str:
    """Return the text that clients see for any failure: none of its details."""
    return DEFAULT_ERROR


class Runner:
    """Runs one claim's source to its end. Make it in the event loop, and use it once."""

    def __init__(
        self,
        log: Log,
        claim: Claimed,
        run: Run,
        *,
        on_error: Callable[[BaseException], str] = default_on_error,
        batch_size: int = 10,
        linger: float = 0.05,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._claim = claim
        self._run = run
        self._on_error = on_error
        self._aborted = asyncio.Event()
        self._called_off = False
        self._lost: asyncio.Future[None] = loop.create_future()
        self._warned: set[str] = set()
        lifecycle = Lifecycle(
            run.run_id,
            run.thread_id,
            run.message_id,
            parent_run_id=run.parent_run_id,
            asked_id=run.asked_id,
            started_at=now_ms(),
        )
        self._writer = Writer(
            lifecycle,
            token=claim.token,
            next_seq=claim.next_seq,
            now=loop.time(),
            batch_size=batch_size,
            linger=linger,
        )
        self._pump = Pump(log, claim.stream, self._writer, on_lost=lambda: self._lost.set_result(None))

    def abort(self) -> None:
        """Call off the source and write nothing more: this process has ended the generation in the log."""
        self._pump.abandon()

    async def run(self, choose: Callable[[], Awaitable[Source | None]]) -> str | None:
        """Run a source and end the generation. Return the terminal token, None if someone else ended it.

        ``choose`` returns the source, or None for a run that is to end at once as stopped. Cancelling this once
        ends the generation with a RUN_ERROR, and then returns.
        """
        return await self._written(self._answer(choose))

    async def end(self, ending: Ending) -> str | None:
        """End the generation without running anything. Return as ``run`` does."""
        return await self._written(self._end(ending))

    async def _written(self, work: Coroutine[Any, Any, str]) -> str | None:
        try:
            async with self._pump:
                return await work
        except Lost as lost:
            level = logging.INFO if self._writer.state is State.SUPERSEDED else logging.ERROR
            logger.log(level, "the generation of %s is not ours any more: %s", self._claim.stream, lost)
            return None

    async def _end(self, ending: Ending, producer: asyncio.Task[Any] | None = None) -> str:
        """Write the end, and return the terminal token once it is durable. Raises Lost."""
        token = tokens.terminal(self._claim.key, failed=self._writer.resolve(ending).failed)
        self._pump.end(ending, token)
        try:
            await self._landed(producer)
        except asyncio.CancelledError:
            # Whoever cancels a run wants its end written, and that is on its way.
            _uncancel()
            await self._landed(producer)
        return token

    async def _landed(self, producer: asyncio.Task[Any] | None) -> None:
        """Wait until the end is durable, and call off the source if it still goes on."""
        if producer is not None and not producer.done():
            self._aborted.set()
            # A source may block the event loop while it unwinds, so the end goes first, if the log takes it soon.
            await self._pump.settled(_END_FIRST)
            self._call_off(producer)
        await self._pump.finished()

    def _call_off(self, producer: asyncio.Task[Any]) -> None:
        """Cancel the source, but not a second time: that would cut short its unwinding."""
        if not self._called_off:
            self._called_off = True
            self._aborted.set()
            producer.cancel()

    async def _answer(self, choose: Callable[[], Awaitable[Source | None]]) -> str:
        producer = asyncio.create_task(self._produce(choose), name=f"source {self._claim.stream}")
        try:
            return await self._end(await self._outcome(producer), producer)
        finally:
            await self._unwound(producer)

    async def _outcome(self, producer: asyncio.Task[Ending]) -> Ending:
        """Wait for the source's end, and return how the run ended. Raises Lost."""
        deadline = self._run.deadline
        waited: list[asyncio.Future[Any]] = [producer, self._lost]
        try:
            await asyncio.wait(
                waited,
                timeout=None if deadline is None else deadline - DEADLINE_MARGIN - asyncio.get_running_loop().time(),
                return_when=asyncio.FIRST_COMPLETED,
            )
        except asyncio.CancelledError:
            _uncancel()
            return SHUT_DOWN
        if self._lost.done():
            raise Lost(self._writer.why)
        if not producer.done():
            return Ending(Outcome.DEADLINE, error=_TOO_LONG)
        return SHUT_DOWN if producer.cancelled() else producer.result()

    async def _produce(self, choose: Callable[[], Awaitable[Source | None]]) -> Ending:
        """Write what the source yields, and return how it ended.

        It may end with a CancelledError of its own, from a cancel scope that it left open, say: nothing but
        ``_aborted`` tells ours from those.
        """
        try:
            source = await choose()
            if source is None:
                return Ending(Outcome.STOPPED)
            async with aclosing(iterate(source, self._run.messages, self._context())) as chunks:
                async for chunk in chunks:
                    if self._aborted.is_set():
                        break
                    self._warn(await self._pump.push(chunk))
        except (KeyboardInterrupt, Lost):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's source raises ends its run, nothing else
            return self._failed(error)
        return Ending(Outcome.FINISHED)

    def _context(self) -> SourceContext:
        return SourceContext(
            stream=self._claim.stream,
            run_id=self._run.run_id,
            thread_id=self._run.thread_id,
            message_id=self._run.message_id,
            data=self._run.data,
            deadline=self._run.deadline,
            aborted=self._aborted,
            parent_run_id=self._run.parent_run_id,
            resume=self._run.resume,
            tools=self._run.tools,
        )

    def _warn(self, dropped: str | None) -> None:
        """Say once for each kind what was dropped of the source's events."""
        if dropped is not None and dropped not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(dropped)
            logger.warning("the source of %s yielded %s; it was dropped", self._claim.stream, dropped)

    def _failed(self, error: BaseException) -> Ending:
        if self._aborted.is_set():
            return SHUT_DOWN  # Nobody asks any more.
        logger.error("the source of %s failed", self._claim.stream, exc_info=error)
        try:
            text: object = self._on_error(error)
        except Exception:
            logger.exception("on_error failed")
            text = None
        return Ending(Outcome.FAILED, error=text if isinstance(text, str) else DEFAULT_ERROR)

    async def _unwound(self, producer: asyncio.Task[Any]) -> None:
        """Call off the source, and give it a moment to unwind."""
        if not producer.done():
            self._call_off(producer)
            await asyncio.wait({producer}, timeout=UNWINDING)
        if not producer.done():
            logger.warning("the source of %s goes on although it was called off", self._claim.stream)
        elif not producer.cancelled():
            producer.exception()


def _uncancel() -> None:
    """Make the current task's cancellation count as handled."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
