"""Claims streams of one log, each for one generation that also stores what the user sent."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

from ..errors import LogUnavailable
from ..log.port import Log
from ..protocol import tokens
from ..protocol.claim import Busy, Claim, Conflict, Repeated, Used, Won
from ..protocol.history import History, look_back_from
from ..protocol.records import Record
from ..protocol.steps import Append
from ..protocol.submission import Body, Digests, Submission
from .steps import append, look

logger = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds after which a claim gives up on a log that does not answer, well before a gateway gives up on the request."""

_REMEMBERED_TOKENS: Final = 4096
_REMEMBERED_LISTS: Final = 128
_LONGEST_LIST: Final = 1_000
_NOTHING: Final = Body(())

_NEAR: Final = 200
"""Records right before a claim that are looked through in any case. They tell how large those before them are."""

_LOOK_BACK_BYTES: Final = 8 * 1024 * 1024
"""Records before the near ones are looked through if all together they are likely to be smaller."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A stream that is ours: its token, where its opening fence stands, and where the next record goes.

    ``stopped`` says that the run was stopped before it began, so its source must not be called. ``stored`` is the list
    that the chat now has, None if that cannot be said.
    """

    stream: str
    token: str
    start: int
    next_seq: int
    run_id: str
    stopped: bool
    stored: Digests | None = None

    @property
    def key(self) -> str:
        """The run's part of the tokens."""
        return tokens.key_of(self.run_id)


class Claimer:
    """Claims streams, and remembers, per process, the terminal tokens it saw last, to guess right at once.

    ``lease`` and ``foreign_lease`` are the seconds of silence after which a writer of ours, and another
    implementation's, may be dead.
    """

    def __init__(
        self, log: Log, *, lease: float, foreign_lease: float, writer_lost_message: str, single_use: bool = False
    ) -> None:
        self._log = log
        self._lease = lease
        self._foreign_lease = foreign_lease
        self._writer_lost_message = writer_lost_message
        self._single_use = single_use
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._lists: OrderedDict[str, Digests] = OrderedDict()
        """By terminal token: the list that the chat had before the generation's answer."""

    async def claim(
        self, stream: str, run_id: str, submission: Submission | None = None
    ) -> Claimed | Busy | Used | Repeated | Conflict:
        """Open a generation that stores this submission.

        Raises BadRequest (413: the message does not fit one append), LogUnavailable.
        """
        machine = Claim(
            tokens.opening(tokens.key_of(run_id)),
            run_id,
            guess=self._tokens.get(stream, ""),
            lease_ms=self._lease * 1000,
            foreign_lease_ms=self._foreign_lease * 1000,
            writer_lost_message=self._writer_lost_message,
            repeats=submission.repeats if submission else lambda generation: True,
            single_use=self._single_use,
        )
        body = _NOTHING
        try:
            async with asyncio.timeout(PATIENCE):
                while not isinstance(step := machine.next(), (Won, Busy, Used, Repeated, Conflict)):
                    if not isinstance(step, Append):
                        answer = await look(self._log, stream, step)
                    elif step.with_body and submission:
                        body = submission.body(new_chat=machine.may_be_new, known=self._lists.get(machine.guess))
                        answer = await append(self._log, stream, step, body.records)
                    else:
                        answer = await append(self._log, stream, step)
                    machine.feed(answer)
        except TimeoutError as error:
            raise LogUnavailable("The log does not answer. Try again.") from error
        if not isinstance(step, Won):
            return step
        self._tokens.pop(stream, None)
        if body.dropped:
            logger.warning(
                "%d older messages of a send to %s are not stored as they were sent: they do not fit one append",
                *(body.dropped, stream),
            )
        return Claimed(
            stream,
            machine.token,
            step.start,
            step.next_seq,
            run_id,
            step.stopped,
            _stored(submission, body, step.start),
        )

    def ended(self, claim: Claimed, token: str) -> None:
        """Note the terminal token of a generation that this process wrote to its end."""
        _keep(self._tokens, claim.stream, token, _REMEMBERED_TOKENS)
        if claim.stored is not None:
            _keep(self._lists, token, claim.stored, _REMEMBERED_LISTS)

    async def look_back(self, claim: Claimed, sender_cursor: int | None, submission: Submission | None) -> History:
        """Return what the records before the claim say of its run. Raises LogUnavailable."""
        history = History(claim.run_id, submission.differs if submission else lambda turn: False)
        first = look_back_from(claim.start, sender_cursor)
        middle = max(first, claim.start - _NEAR)
        near = await self._read(claim.stream, middle, claim.start)
        size = sum(len(record.body) for record in near)
        if size * (claim.start - first) <= _LOOK_BACK_BYTES * (claim.start - middle):
            history.feed(await self._read(claim.stream, first, middle))
        history.feed(near)
        return history

    async def _read(self, stream: str, start: int, end: int) -> list[Record]:
        if start == end:
            return []
        async with aclosing(self._log.read(stream, start, end=end)) as batches:
            return [record async for records in batches for record in records]


def _stored(submission: Submission | None, body: Body, start: int) -> Digests | None:
    """Return the list that the chat has after this claim, if its sender had seen all there was."""
    if submission is None or submission.results or body.dropped or len(submission.messages) > _LONGEST_LIST:
        return None
    cursor = submission.sender_cursor
    # Between the last record that a sender can have seen and our fence stands the fence before it.
    current = start == 0 or (cursor is not None and start - 1 <= cursor <= start)
    return submission.digests if current else None


def _keep(kept: OrderedDict[str, _Value], name: str, value: _Value, most: int) -> None:
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > most:
        kept.popitem(last=False)
