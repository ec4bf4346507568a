"""The machine that stops a run. It does no I/O: see ``steps``.

A stop wins whenever it comes. A run that goes on is ended. For one that has not begun, a mark is left in the log: the
token ``end-…~key`` if nothing runs, a ``resumable.stop`` chunk under the token of whatever runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import AppendOutcomeUnknown, FencingTokenMismatch, LogUnavailable, SeqNumMismatch
from . import tokens
from .chunks import encode
from .generation import Generation
from .marks import stop_mark
from .outcomes import Ending, Outcome
from .records import HEARTBEAT, NewRecord, fence
from .steps import Answer, Append, CheckTail, Landed, ReadBack, TailAt, Wait, pause

ATTEMPTS: Final = 12
"""Appends that are tried before the stop is given up."""

EXACT_ATTEMPTS: Final = 3
"""A busy writer moves the tail between our reading and our append. After so many refusals for the number alone, a stop
insists on the token only. It then closes what was open a few milliseconds earlier, which hardly ever differs."""


class State(Enum):
    """What the stop does next, or how it ended."""

    PROBING = "probing"
    """Learn the token in force from an append that is bound to be refused."""
    PAUSING = "pausing"
    """Wait before probing again: whether the last append landed is unknown."""
    LEAVING = "leaving"
    """Nothing runs: leave the stop behind for its run."""
    READING = "reading"
    """A generation runs: find out which runs it has."""
    MARKING = "marking"
    """Another run goes on: leave the stop behind in its generation."""
    ENDING = "ending"
    """This run goes on: end it."""
    OVER = "over"
    """``next`` returns the result."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run was ended by this stop."""


@dataclass(frozen=True, slots=True)
class NothingRuns:
    """The run does not go on. If it comes later, it will not begin."""


Step = Append | CheckTail | ReadBack | Wait


class Stop:
    """Stops the run ``run_id``, or whatever runs if it is None.

    In a ``single_use`` stream that was used no other run can begin, so nothing is left behind there. Nothing is left
    behind under another implementation's writer either, which may not cope with a record that is not its own.
    """

    def __init__(self, run_id: str | None = None, *, single_use: bool = False) -> None:
        self._run_id = run_id
        self._key = tokens.key_of(run_id) if run_id is not None else None
        self._single_use = single_use
        self._token = ""
        self._attempts = 0
        self._missed = 0
        self._tail: TailAt | None = None
        self._append: Append | None = None
        self._ours: set[str] = set()
        self._result: Stopped | NothingRuns | None = None
        self.state = State.PROBING

    def next(self) -> Step | Stopped | NothingRuns:
        """Return the next step, or the result."""
        if self._result is not None:
            return self._result
        if self.state is State.PROBING:
            return Append([HEARTBEAT], tokens.PROBE)
        if self.state is State.PAUSING:
            return pause(self._attempts - 1)
        if self._append is not None:
            return self._append
        return CheckTail() if self._tail is None else ReadBack(self._tail.seq_num)

    def feed(self, answer: Answer) -> None:
        """Take in what became of the step. Raises LogUnavailable after too many attempts."""
        match answer:
            case Landed():
                self._landed()
            case FencingTokenMismatch():
                self._attempt(None)
                self._look(answer.current)
            case SeqNumMismatch():
                self._attempt(None)
                self._missed += 1
                self._read()
            case AppendOutcomeUnknown():
                self._attempt(answer)
                self.state = State.PAUSING
            case TailAt():
                self._tail = answer
            case Generation():
                self._read_back(answer)
            case _:
                self.state = State.PROBING

    def _attempt(self, error: LogUnavailable | None) -> None:
        self._attempts += 1
        if self._attempts > ATTEMPTS:
            raise error or LogUnavailable("The chat is written to faster than it can be stopped. Try again.")

    def _landed(self) -> None:
        if self.state is State.PROBING:
            raise LogUnavailable("The log accepted an append under a token that is not in force.")
        self._end(Stopped() if self.state is State.ENDING else NothingRuns())

    def _end(self, result: Stopped | NothingRuns) -> None:
        self.state = State.OVER
        self._result = result

    def _look(self, token: str) -> None:
        """Decide what to do about the token in force."""
        self._token = token
        found = tokens.parse(token)
        if token in self._ours:
            # The append that ended the run did land.
            self._end(Stopped())
        elif found.running:
            self._read()
        elif self._key is None or found.key == self._key or (self._single_use and token and not found.stopped_early):
            self._end(NothingRuns())
        else:
            self.state = State.LEAVING
            self._append = Append([fence(tokens.stopped_early(self._key))], token)

    def _read(self) -> None:
        self.state = State.READING
        self._tail = self._append = None

    def _read_back(self, generation: Generation) -> None:
        assert self._tail is not None
        found = tokens.parse(self._token)
        if generation.token != self._token or generation.closed:
            self._attempt(None)
            self.state = State.PROBING
        elif self._run_id is None or found.key == self._key or self._run_id in generation.run_ids:
            self.state = State.ENDING
            ending = tokens.terminal(found.key)
            self._ours.add(ending)
            chunks = generation.parts.end(Ending(Outcome.STOPPED), self._tail.now)
            self._append = Append(
                [*(NewRecord(encode(chunk)) for chunk in chunks), fence(ending)],
                self._token,
                self._tail.seq_num if self._missed < EXACT_ATTEMPTS else None,
            )
        elif self._run_id in generation.stops or self._single_use or not tokens.is_ours(self._token):
            self._end(NothingRuns())
        else:
            self.state = State.MARKING
            self._append = Append([NewRecord(encode(stop_mark(self._run_id)))], self._token)
