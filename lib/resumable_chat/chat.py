"""The operations on chats of one log: values in, values out. HTTP and frameworks are the business of ``web``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from .engine.claim import Claim, Claimer
from .engine.ending import Stopped, stop
from .engine.runner import Run, Runner, default_on_error
from .engine.tail import Subscription, Tail, Tails
from .errors import LogError, LogUnavailable
from .log.port import Log
from .protocol import tokens
from .protocol.outcomes import DEFAULT_ERROR, Ending, Outcome
from .protocol.records import trim
from .protocol.turns import tool_results, turns_of
from .settings import Mode
from .sources.port import Source

logger = logging.getLogger(__name__)

LEASE_MS: Final[Mapping[Mode, int]] = {"session": 15_000, "shared": 5_000, "single-use": 5_000}

_LOOK_AGAIN: Final = 0.2

_TRIM_GRACE: Final = 2.0
"""Seconds that readers who are behind have before a single-use stream is emptied."""

_EVERYTHING: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Options:
    """How a chat writes: the lease in seconds, the public text of an error, and how chunks are batched."""

    mode: Mode = "session"
    lease: float = 15.0
    on_error: Callable[[BaseException], str] = default_on_error
    batch_size: int = 10
    linger: float = 0.05


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One send. ``messages`` are UIMessages with ``parts``, as ``turns.normalise`` returns them.

    ``run_id`` is the idempotency key, ``sender_cursor`` what the sender had read of the chat, ``thread_id`` the chat's
    name for clients and the source (None: the stream's), ``deadline`` the loop time at which the platform ends the
    process. ``parent_run_id``, ``resume`` and ``tools`` are for the source: the run that this one continues, the
    answers to its interrupts, and the client's own tools.
    """

    messages: Sequence[dict[str, Any]] = ()
    run_id: str | None = None
    sender_cursor: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    thread_id: str | None = None
    deadline: float | None = None
    parent_run_id: str | None = None
    resume: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The stream is claimed, and what was sent is stored. Hand this to ``Chat.run``, or to ``Chat.abandon``."""

    claim: Claim
    run: Run
    source: Source
    sender_cursor: int | None = None

    @property
    def start(self) -> int:
        """Sequence number of the generation's opening fence."""
        return self.claim.start


@dataclass(frozen=True, slots=True)
class Repeated:
    """The run was accepted before, so nothing runs again."""


class Chat:
    """Sends, follows and stops chats of one log. ``stream`` is the name of a chat's stream, everywhere."""

    def __init__(self, log: Log, options: Options) -> None:
        self._log = log
        self.options = options
        self._claimer = Claimer(log, lease=options.lease, writer_lost=DEFAULT_ERROR)
        self._tails = Tails(log, lease=options.lease, writer_lost=DEFAULT_ERROR, session=options.mode == "session")
        self._runners: dict[str, Runner] = {}

    async def send(self, stream: str, request: SendRequest, source: Source) -> Accepted | Repeated:
        """Store the user's message and claim the chat for the answer, in session mode.

        Raises StreamInUse, BadRequest (413: the message does not fit one append), LogUnavailable.
        """
        results = tool_results(request.messages)
        turns = [] if results else turns_of(request.messages, seen=request.sender_cursor, run_id=request.run_id)
        claim = await self._claimer.claim(stream, turns, _key(request.run_id), results=results)
        return _accepted(claim, stream, request, source)

    async def write(self, stream: str, request: SendRequest, source: Source) -> Accepted | Repeated:
        """Claim the stream for a source's chunks alone, in the modes ``single-use`` and ``shared``.

        Raises StreamInUse, LogUnavailable.
        """
        key = _key(request.run_id)
        if self.options.mode == "single-use":
            claim = await self._claimer.claim_unused(stream, key)
        else:
            claim = await self._claimer.claim(stream, [], key)
        return _accepted(claim, stream, request, source)

    async def run(self, accepted: Accepted) -> None:
        """Run the source of an accepted send to its end. Cancelling this ends the generation before it returns."""
        claim = accepted.claim
        if self.options.mode == "session":
            await self._run(accepted, claim)
            return
        if claim.start:
            try:
                claim = await self._trim(claim)
            except asyncio.CancelledError:
                await self.abandon(accepted)
                raise
        token = await self._run(accepted, claim)
        if self.options.mode == "single-use" and token is not None:
            await asyncio.sleep(_TRIM_GRACE)
            with suppress(LogError):
                await self._log.append(claim.stream, [trim(_EVERYTHING)], fencing_token=token)

    async def abandon(self, accepted: Accepted) -> None:
        """End the generation of an accepted send as failed, without calling its source."""
        runner = self._runner(accepted, accepted.claim)
        self._ended(accepted.claim, await runner.end(Ending(Outcome.FAILED, error=DEFAULT_ERROR)))

    async def _trim(self, claim: Claim) -> Claim:
        """Drop the records before the generation."""
        try:
            trimmed = await self._log.append(
                claim.stream,
                [trim(claim.start)],
                fencing_token=claim.token,
                match_seq_num=claim.next_seq,
            )
        except LogError as error:
            logger.warning("trimming %s failed: %s", claim.stream, error)
            return claim  # If it landed after all, the writer finds the tail where it is.
        return replace(claim, next_seq=trimmed.end)

    async def _run(self, accepted: Accepted, claim: Claim) -> str | None:
        runner = self._runner(accepted, claim)
        self._runners[claim.stream] = runner
        try:
            token = await runner.run(partial(self._source_to_run, accepted))
            self._ended(claim, token)
            return token
        finally:
            if self._runners.get(claim.stream) is runner:
                del self._runners[claim.stream]

    def _runner(self, accepted: Accepted, claim: Claim) -> Runner:
        options = self.options
        return Runner(
            self._log,
            claim,
            accepted.run,
            on_error=options.on_error,
            batch_size=options.batch_size,
            linger=options.linger,
        )

    def _ended(self, claim: Claim, token: str | None) -> None:
        if token is not None:
            self._claimer.remember(claim.stream, token)

    async def _source_to_run(self, accepted: Accepted) -> Source | None:
        """Return the source to run: None if this run already ran or was stopped; a failing one if nobody can tell."""
        claim, source = accepted.claim, accepted.source
        if claim.stopped:
            return None
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.options.lease / 2
        while True:
            try:
                return None if await self._claimer.superseded(claim, accepted.sender_cursor) else source
            except LogUnavailable as error:
                logger.warning("the history of %s could not be read: %s", claim.stream, error)
                if loop.time() > give_up_at:
                    return _failing(error)
            await asyncio.sleep(_LOOK_AGAIN)

    def subscribe(
        self, stream: str, cursor: int | None, *, ended_too: bool = False
    ) -> tuple[Tail, asyncio.Task[Subscription]]:
        """Begin to follow a stream from a cursor; the task ends once the log is read up to its tail.

        ``ended_too`` also takes a generation that just ended, in the modes other than session.
        """
        tail = self._tails.get(stream)
        return tail, asyncio.create_task(tail.attach(cursor, ended_too=ended_too), name=f"attach {stream}")

    async def stop(self, stream: str, run_id: str | None = None) -> Stopped:
        """End the running generation (only if it is ``run_id``, when given). Raises LogUnavailable."""
        runner = self._runners.get(stream)
        stopped = await stop(self._log, stream, run_id=run_id)
        # By now the next run may have begun here.
        if stopped is Stopped.STOPPED and runner is not None and self._runners.get(stream) is runner:
            runner.abort()
        return stopped

    async def close(self) -> None:
        """Cut the readers off and close the log."""
        await self._tails.close()
        await self._log.close()


def _accepted(claim: Claim | None, stream: str, request: SendRequest, source: Source) -> Accepted | Repeated:
    if claim is None:
        return Repeated()
    asked = next((message["id"] for message in reversed(request.messages) if message.get("role") == "user"), None)
    run = Run(
        run_id=request.run_id if request.run_id is not None else f"run-{tokens.random_nonce(12)}",
        thread_id=request.thread_id or stream,
        message_id=f"msg-{tokens.random_nonce(12)}",
        messages=request.messages,
        data=request.data,
        deadline=request.deadline,
        asked_id=asked,
        parent_run_id=request.parent_run_id,
        resume=request.resume,
        tools=request.tools,
    )
    return Accepted(claim, run, source, request.sender_cursor)


def _key(run_id: str | None) -> str | None:
    return tokens.key_of(run_id) if run_id is not None else None


def _failing(error: Exception) -> Source:
    async def source(messages: Any, context: Any) -> AsyncIterator[Any]:
        raise error
        yield

    return source
