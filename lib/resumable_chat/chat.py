"""The operations on chats of one log: values in, values out. HTTP and frameworks are the business of ``web``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from .engine.claim import Claimed, Claimer
from .engine.ending import stop
from .engine.reading import Reading
from .engine.runner import ABANDONED, SHUT_DOWN, Run, Runner, default_on_error
from .engine.subscription import Wire
from .engine.tail import NEWEST, TailOptions
from .engine.tails import Tails
from .engine.wanted import Wanted
from .errors import LogError, LogUnavailable
from .log.port import Log
from .protocol import tokens
from .protocol.chunks import encode
from .protocol.claim import Busy, Conflict, Repeated, Used
from .protocol.history import History
from .protocol.json_text import well_formed
from .protocol.marks import runs_mark
from .protocol.outcomes import DEFAULT_ERROR, Ending
from .protocol.records import NewRecord, trim
from .protocol.stop import NothingRuns, Stopped
from .protocol.submission import Form, Submission
from .settings import Mode
from .sources.port import Source
from .wire.s2 import S2Generation, S2Session

logger = logging.getLogger(__name__)

LEASE_MS: Final[Mapping[Mode, int]] = {"session": 15_000, "shared": 5_000, "single-use": 5_000}

FOREIGN_LEASE_MS: Final = 60_000
"""Silence of another implementation's writer, which may send no heartbeats, after which a send takes its chat over."""

_SESSION: Final = S2Session()
_GENERATION: Final = S2Generation()

_LOOK_AGAIN: Final = 0.2

_TRIM_GRACE: Final = 2.0
"""Seconds that readers who are behind have before a single-use stream is emptied."""

_EVERYTHING: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Options:
    """How a chat writes: the leases in seconds, the public text of an error, and how chunks are batched.

    After ``lease`` of silence a writer of ours counts as dead, after ``foreign_lease`` another implementation's.
    """

    mode: Mode = "session"
    lease: float = 15.0
    foreign_lease: float = FOREIGN_LEASE_MS / 1000
    on_error: Callable[[BaseException], str] = default_on_error
    batch_size: int = 10
    linger: float = 0.05


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One send. ``messages`` are UIMessages with ``parts``, as ``wire.messages.read_messages`` returns them.

    ``run_id`` is the idempotency key, ``sender_cursor`` what the sender had read of the chat, ``thread_id`` the chat's
    name for clients and the source (None: the stream's), ``deadline`` the loop time at which the platform ends the
    process. ``parent_run_id`` names the run that this one continues, ``resume`` answers its interrupts, and ``tools``
    are the client's. ``form`` says how the messages came.
    """

    messages: Sequence[dict[str, Any]] = ()
    run_id: str | None = None
    sender_cursor: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    thread_id: str | None = None
    deadline: float | None = None
    parent_run_id: str | None = None
    resume: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Any] = ()
    form: Form = Form.OURS


@dataclass(frozen=True, slots=True)
class Accepted:
    """The stream is claimed, and what was sent is stored. Hand this to ``Chat.run``, or else to ``Chat.abandon``."""

    claim: Claimed
    request: SendRequest
    source: Source
    submission: Submission | None = None
    """What was stored, in session mode."""

    @property
    def start(self) -> int:
        """Sequence number of the generation's opening fence."""
        return self.claim.start


Sent = Accepted | Repeated | Conflict | Busy | Used
"""What became of a send."""


class Chat:
    """Sends, follows and stops chats of one log. ``stream`` is the name of a chat's stream, everywhere."""

    def __init__(self, log: Log, options: Options) -> None:
        self._log = log
        self.options = options
        self._claimer = Claimer(
            log,
            lease=options.lease,
            foreign_lease=options.foreign_lease,
            writer_lost_message=DEFAULT_ERROR,
            single_use=options.mode == "single-use",
        )
        self._tails = Tails(log, TailOptions(options.lease, DEFAULT_ERROR, session=options.mode == "session"))
        self._runners: dict[str, Runner] = {}

    async def send(self, stream: str, request: SendRequest, source: Source) -> Sent:
        """Store the user's message and claim the chat for the answer, in session mode.

        Raises BadRequest if the message does not fit one append, and LogUnavailable.
        """
        run_id = _run_id(request)
        submission = Submission(request.messages, run_id, request.sender_cursor, request.form)
        claim = await self._claimer.claim(stream, run_id, submission)
        if not isinstance(claim, Claimed):
            return claim
        return Accepted(claim, request, source, submission)

    async def write(self, stream: str, request: SendRequest, source: Source) -> Sent:
        """Claim the stream for a source's chunks alone, in the modes ``single-use`` and ``shared``.

        Raises LogUnavailable.
        """
        claim = await self._claimer.claim(stream, _run_id(request))
        if not isinstance(claim, Claimed):
            return claim
        return Accepted(claim, request, source)

    async def run(self, accepted: Accepted) -> None:
        """Run the source of an accepted send to its end. Cancelling this ends the generation before it returns."""
        if accepted.submission is not None:
            await self._run(accepted, accepted.claim, partial(self._answering, accepted))
        else:
            await self._write(accepted)

    async def abandon(self, accepted: Accepted, ending: Ending = ABANDONED) -> None:
        """End the generation of an accepted send without calling its source."""
        self._ended(accepted.claim, await self._runner(accepted, accepted.claim).end(ending))

    async def _answering(self, accepted: Accepted) -> Source | None:
        """Return the source that answers in session mode, None if this run is not to run."""
        claim, request = accepted.claim, accepted.request
        if claim.stopped or request.run_id is None:
            return _to_run(accepted, None)
        return _to_run(accepted, await self._look_back(claim, request.sender_cursor, accepted.submission))

    async def _write(self, accepted: Accepted) -> None:
        claim = accepted.claim
        history = None
        try:
            if claim.start:
                history = await self._look_back(claim, 0)
            if isinstance(history, History):
                claim = await self._trim(claim, history)
        except asyncio.CancelledError:
            await self.abandon(accepted, SHUT_DOWN)
            raise
        source = _to_run(accepted, history)

        async def chosen() -> Source | None:
            return source

        token = await self._run(accepted, claim, chosen)
        if self.options.mode == "single-use" and token is not None:
            await asyncio.sleep(_TRIM_GRACE)
            with suppress(LogError):
                await self._log.append(claim.stream, [trim(_EVERYTHING)], fencing_token=token)

    async def _look_back(
        self, claim: Claimed, sender_cursor: int | None, submission: Submission | None = None
    ) -> History | LogUnavailable:
        """Return what the log says of this run, or the error if it does not answer for half the lease."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.options.lease / 2
        while True:
            try:
                async with asyncio.timeout_at(give_up_at):
                    return await self._claimer.look_back(claim, sender_cursor, submission)
            except TimeoutError:
                return LogUnavailable("The log did not answer in time.")
            except LogUnavailable as error:
                logger.warning("the history of %s could not be read: %s", claim.stream, error)
                if loop.time() + _LOOK_AGAIN > give_up_at:
                    return error
            await asyncio.sleep(_LOOK_AGAIN)

    async def _trim(self, claim: Claimed, history: History) -> Claimed:
        """Drop the records before the generation, but remember the runs that they were of."""
        kept = history.kept()
        carried = [NewRecord(encode(runs_mark(kept)))] if kept else []
        try:
            trimmed = await self._log.append(
                claim.stream,
                [*carried, trim(claim.start)],
                fencing_token=claim.token,
                match_seq_num=claim.next_seq,
            )
        except LogError as error:
            logger.warning("trimming %s failed: %s", claim.stream, error)
            return claim  # If it landed after all, the writer finds the tail where it is.
        return replace(claim, next_seq=trimmed.end)

    async def _run(
        self, accepted: Accepted, claim: Claimed, choose: Callable[[], Awaitable[Source | None]]
    ) -> str | None:
        """Run the source that is chosen, and return the terminal token, None if the run was ended by others."""
        runner = self._runner(accepted, claim)
        self._runners[claim.stream] = runner
        try:
            token = await runner.run(choose)
            self._ended(claim, token)
            return token
        finally:
            if self._runners.get(claim.stream) is runner:
                del self._runners[claim.stream]

    def _runner(self, accepted: Accepted, claim: Claimed) -> Runner:
        request, options = accepted.request, self.options
        asked = (message["id"] for message in reversed(request.messages) if message["role"] == "user")
        run = Run(
            run_id=claim.run_id,
            thread_id=request.thread_id or claim.stream,
            message_id=f"msg-{tokens.random_nonce(12)}",
            messages=well_formed(request.messages),
            data=request.data,
            deadline=request.deadline,
            asked_id=next(asked, None),
            parent_run_id=request.parent_run_id,
            resume=request.resume,
            tools=request.tools,
        )
        return Runner(
            self._log,
            claim,
            run,
            on_error=options.on_error,
            batch_size=options.batch_size,
            linger=options.linger,
        )

    def _ended(self, claim: Claimed, token: str | None) -> None:
        if token is not None:
            self._claimer.ended(claim, token)

    def read(self, stream: str, cursor: int | None) -> Reading:
        """Begin to read a whole chat, live, from a cursor on. Call this in the event loop."""
        tail = self._tails.get(stream)
        return Reading(tail, tail.subscribe(_SESSION, cursor))

    def read_answer(
        self, stream: str, cursor: int | None = None, wanted: Wanted = NEWEST, wire: Wire = _GENERATION
    ) -> Reading:
        """Begin to read one generation up to its end. Call this in the event loop."""
        tail = self._tails.get(stream)
        return Reading(tail, tail.subscribe_answer(wire, cursor, wanted))

    def read_until_idle(self, stream: str, wire: Wire, *, follow: bool = True) -> Reading:
        """Begin to read a whole chat, as it is now, and ``follow`` the running answer to its end.

        Call this in the event loop.
        """
        tail = self._tails.get(stream)
        return Reading(tail, tail.subscribe_until_idle(wire, follow=follow))

    async def stop(self, stream: str, run_id: str | None = None) -> Stopped | NothingRuns:
        """End the running generation; with ``run_id`` only if it has that run, which otherwise will not begin.

        Raises LogUnavailable.
        """
        runner = self._runners.get(stream)
        stopped = await stop(self._log, stream, run_id=run_id, single_use=self.options.mode == "single-use")
        # By now the next run may have begun here.
        if isinstance(stopped, Stopped) and runner is not None and self._runners.get(stream) is runner:
            runner.abort()
        return stopped

    def end_readers(self) -> None:
        """Cut every subscription, so that the responses end."""
        self._tails.cut()

    async def close(self) -> None:
        """Cut the readers off and close the log."""
        await self._tails.close()
        await self._log.close()


def _run_id(request: SendRequest) -> str:
    """Return the run's id: the sender's, or a new one, which makes a lost acknowledgement recognisable."""
    return request.run_id if request.run_id is not None else f"run-{tokens.random_nonce(12)}"


def _to_run(accepted: Accepted, history: History | LogUnavailable | None) -> Source | None:
    """Return the source to run: None if this run already ran or was stopped; a failing source if the log cannot say."""
    if isinstance(history, LogUnavailable):
        return _failing(history)
    stopped = accepted.claim.stopped or (history is not None and (history.ran or history.stopped))
    return None if stopped else accepted.source


def _failing(error: Exception) -> Source:
    async def source(messages: Any, context: Any) -> AsyncIterator[Any]:
        raise error
        yield

    return source
