"""Runs a source behind a claim: its chunks go to the log, and the generation ends whole whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..log.port import Log
from ..protocol import tokens
from ..protocol.chunks import TERMINALS, Chunk
from ..protocol.lifecycle import Lifecycle
from ..protocol.outcomes import DEADLINE, DEFAULT_ERROR, SHUTDOWN
from ..sources.port import Source, SourceContext, iterate
from .claim import Claimed
from .pump import Appender, Lost
from .steps import now_ms

logger = logging.getLogger(__name__)

DEADLINE_MARGIN: Final = 5.0
"""Seconds before the platform's deadline at which a generation ends itself."""

_UNWINDING: Final = 5.0
"""Seconds a source gets to unwind when it is told to stop."""


@dataclass(frozen=True, slots=True)
class Run:
    """One answer to be made: what the source gets to know."""

    run_id: str
    thread_id: str
    message_id: str
    messages: Sequence[Mapping[str, Any]]
    data: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    """Loop time at which the platform ends this process."""


def default_on_error(error: BaseException) -> str:
    """The text that clients see for any failure: none of its details."""
    return DEFAULT_ERROR


class Runner:
    """Runs one claim's source to its end. ``abort`` ends it from the same process, once its stop is in the log."""

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
        self._claim = claim
        self._run = run
        self._on_error = on_error
        self._aborted = asyncio.Event()
        self._producer: asyncio.Task[BaseException | None] | None = None
        self._lifecycle = Lifecycle(run.run_id, run.thread_id, run.message_id)
        self._appender = Appender(
            log,
            claim.stream,
            token=claim.token,
            next_seq=claim.next_seq,
            on_lost=self._stop_producing,
            batch_size=batch_size,
            linger=linger,
        )

    def abort(self) -> None:
        """The generation was ended in the log by this process: call off the source, write nothing more."""
        self._appender.abandon()

    async def run(self, source: Source | None) -> str | None:
        """Run the source and end the generation; the terminal token, None if it was stopped or taken over.

        ``source`` None ends the run at once as stopped. Cancelling this ends the generation with a RUN_ERROR.
        """
        async with self._appender:
            try:
                if source is None:
                    return await self._finish(self._lifecycle.parts.finish(), failed=False)
                return await self._finish(*await self._answer(source))
            except Lost as lost:
                logger.info("generation of %s ended elsewhere: %s", self._claim.stream, lost)
                return None

    async def _answer(self, source: Source) -> tuple[list[Chunk], bool]:
        """Run the source; the chunks that are owed after it, and whether the run failed."""
        self._producer = asyncio.create_task(self._produce(source), name=f"source {self._claim.stream}")
        parts = self._lifecycle.parts
        limit = None if self._run.deadline is None else self._run.deadline - DEADLINE_MARGIN
        try:
            now = asyncio.get_running_loop().time()
            await asyncio.wait({self._producer}, timeout=None if limit is None else max(0.0, limit - now))
        except asyncio.CancelledError:
            await self._unwind()
            return parts.fail(DEFAULT_ERROR, code=SHUTDOWN), True
        if not self._producer.done():
            await self._unwind()
            return parts.fail("The answer took longer than this server allows.", code=DEADLINE), True
        error = None if self._producer.cancelled() else self._producer.result()
        if isinstance(error, Lost) or self._appender.lost:
            raise Lost("stopped or taken over")
        if error is None:
            return parts.finish(), parts.failed
        logger.error("the source of %s failed", self._claim.stream, exc_info=error)
        return parts.fail(self._public_text(error)), True

    async def _produce(self, source: Source) -> BaseException | None:
        context = SourceContext(
            stream=self._claim.stream,
            run_id=self._run.run_id,
            thread_id=self._run.thread_id,
            message_id=self._run.message_id,
            data=self._run.data,
            deadline=self._run.deadline,
            aborted=self._aborted,
        )
        chunks = iterate(source, self._run.messages, context)
        try:
            async for chunk in chunks:
                for stored in self._lifecycle.feed(chunk, now_ms()):
                    await self._appender.add(stored, defer=stored["type"] in TERMINALS)
        except Exception as error:  # noqa: BLE001 - whatever the user's source raises ends its run, nothing else
            return error
        finally:
            await chunks.aclose()
        return None

    def _public_text(self, error: BaseException) -> str:
        try:
            text = self._on_error(error)
        except Exception:
            logger.exception("on_error failed")
            return DEFAULT_ERROR
        return text if isinstance(text, str) else DEFAULT_ERROR

    async def _finish(self, chunks: list[Chunk], failed: bool) -> str:
        token = tokens.terminal(self._claim.key, failed=failed)
        await self._appender.finish(chunks, token)
        return token

    def _stop_producing(self) -> None:
        self._aborted.set()
        if self._producer is not None:
            self._producer.cancel()

    async def _unwind(self) -> None:
        self._stop_producing()
        if self._producer is not None:
            await asyncio.wait({self._producer}, timeout=_UNWINDING)
