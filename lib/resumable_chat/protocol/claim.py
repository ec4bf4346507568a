"""The machine that claims a stream for one generation. It does no I/O: see ``steps``.

The first append guesses the token in force, so an existing chat takes one round trip. A refusal names the token that is
in force, which says all but whether a running generation's writer is alive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import AppendOutcomeUnknown, FencingTokenMismatch, SeqNumMismatch
from . import tokens
from .chunks import encode
from .generation import Generation
from .outcomes import Ending, Outcome
from .records import NewRecord, Record, fence, fence_token
from .steps import Answer, Append, CheckTail, Landed, Read, ReadBack, TailAt, Wait, pause

ATTEMPTS: Final = 8
"""Openings that are tried before the claim is given up."""

WATCH_SECONDS: Final = 3.0
"""How long the tail is watched before a silent writer counts as dead: three heartbeats."""

LOOK_SECONDS: Final = 0.5
"""Time between two looks at the tail while it is watched."""

SKEW_MS: Final = 1_000
"""Difference between two clocks that is nothing special."""

LONGEST_RETRY: Final = 5
"""Seconds after which a sender should ask again at the latest, for an answer may end at any time."""


class State(Enum):
    """What the claim does next, or how it ended."""

    OPENING = "opening"
    """Append the opening fence under the token that should be in force."""
    PAUSING = "pausing"
    """Wait before the next attempt: whether the last one landed is unknown."""
    LOCATING = "locating"
    """Our opening fence is in force: find out where it stands."""
    COMPARING = "comparing"
    """This run is there already: read what it was asked."""
    VACATING = "vacating"
    """A single-use stream has a stop in it: look whether it has anything else."""
    SUSPECTING = "suspecting"
    """Another generation runs: look at the age of its last record."""
    WATCHING = "watching"
    """Its writer may be dead: wait for a new record."""
    CLOSING = "closing"
    """Its writer is dead: read the generation back, and end it."""
    OVER = "over"
    """``next`` returns the result."""


@dataclass(frozen=True, slots=True)
class Won:
    """The stream is ours: its opening fence stands at ``start``, and the next record goes to ``next_seq``.

    ``stopped`` says that the run was stopped before it began, so that its source must not be called.
    """

    start: int
    next_seq: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class Busy:
    """Another generation runs. ``retry_after`` is the time, in seconds, after which asking again makes sense."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Used:
    """A single-use stream has had its generation."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """This run was accepted before, with this message."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """This run was accepted before, with another message."""


Result = Won | Busy | Used | Repeated | Conflict
Step = Append | CheckTail | ReadBack | Read | Wait


class Claim:
    """Claims a stream for the run ``run_id`` under ``token``, which carries the run's key.

    ``guess`` is the token that should be in force, ``""`` if nobody knows. ``lease_ms`` and ``foreign_lease_ms`` are
    the silence after which a writer of ours, and another implementation's, may be dead. ``repeats`` returns whether a
    generation of this run was asked the same.
    """

    def __init__(
        self,
        token: str,
        run_id: str,
        *,
        guess: str = "",
        lease_ms: float,
        foreign_lease_ms: float,
        writer_lost_message: str,
        repeats: Callable[[Generation], bool] = lambda generation: True,
        single_use: bool = False,
    ) -> None:
        self.token = token
        self.guess = guess
        self._run_id = run_id
        self._key = tokens.key_of(run_id)
        self._lease_ms = lease_ms
        self._foreign_lease_ms = foreign_lease_ms
        self._message = writer_lost_message
        self._repeats = repeats
        self._single_use = single_use
        self._attempts = 0
        self._stopped = False
        self._length = 0
        self._tail: TailAt | None = None
        self._watched = 0.0
        self._looking = False
        self._closing: Append | None = None
        self._closing_token = ""
        self._result: Result | None = None
        self.state = State.OPENING
        if tokens.parse(guess).key == self._key:
            self._refused(guess)

    @property
    def may_be_new(self) -> bool:
        """Whether nothing was ever sent to this chat, as far as the token to be replaced says."""
        return not self.guess or tokens.parse(self.guess).stopped_early

    def next(self) -> Step | Result:
        """Return the next step, or the result."""
        if self._result is not None:
            return self._result
        match self.state:
            case State.OPENING:
                match_seq_num = self._length if self._single_use else None
                return Append([fence(self.token)], self.guess, match_seq_num, with_body=True)
            case State.PAUSING:
                return pause(self._attempts - 1)
            case State.WATCHING if not self._looking:
                return Wait(LOOK_SECONDS)
            case State.CLOSING if self._closing is not None:
                return self._closing
        if self._tail is None or self.state in (State.SUSPECTING, State.WATCHING):
            return CheckTail()
        if self.state is State.VACATING:
            return Read(self._tail.seq_num)
        return ReadBack(self._tail.seq_num)

    def feed(self, answer: Answer) -> None:
        """Take in what became of the step. Raises AppendOutcomeUnknown if the last attempt may have landed."""
        match answer:
            case Landed():
                self._landed(answer)
            case FencingTokenMismatch():
                self._refused(answer.current)
            case SeqNumMismatch():
                self._end(Used() if self._single_use else self._busy(0.0))
            case AppendOutcomeUnknown():
                self._attempts += 1
                if self._attempts >= ATTEMPTS:
                    raise answer
                self._go(State.PAUSING)
            case TailAt():
                self._tail_at(answer)
            case Generation():
                self._read_back(answer)
            case list():
                self._read(answer)
            case None:
                self._waited()

    def _go(self, state: State) -> None:
        self.state = state
        self._tail = self._closing = None
        self._watched = 0.0
        self._looking = False

    def _end(self, result: Result) -> None:
        self.state = State.OVER
        self._result = result

    def _landed(self, landed: Landed) -> None:
        if self.state is State.CLOSING:
            self.guess = self._closing_token
            self._go(State.OPENING)
        else:
            self._end(Won(landed.start, landed.end, self._stopped))

    def _refused(self, current: str) -> None:
        """Decide what to do about the token in force."""
        found = tokens.parse(current)
        self._attempts += 1
        if current == self.token:
            self._go(State.LOCATING)
        elif found.key == self._key and not found.stopped_early:
            self._go(State.COMPARING)
        elif self._attempts >= ATTEMPTS:
            # Others were quicker each time.
            self._end(Busy(1))
        elif self._single_use and current and not found.stopped_early:
            self._end(Used())
        else:
            self.guess = current
            self._stopped = self._stopped or found.key == self._key
            vacating = self._single_use and found.stopped_early
            self._go(State.SUSPECTING if found.running else State.VACATING if vacating else State.OPENING)

    def _tail_at(self, tail: TailAt) -> None:
        before, self._tail = self._tail, tail
        if self.state is State.SUSPECTING:
            if -self._skew < tail.silence_ms < self._lease:
                self._end(self._busy(max(0, tail.silence_ms)))
            else:
                # Two clocks say so, and either may be wrong.
                self.state = State.WATCHING
        elif self.state is State.WATCHING:
            self._looking = False
            if before is None or tail.seq_num != before.seq_num:
                self._end(self._busy(0.0))
            elif self._watched >= WATCH_SECONDS:
                self.state = State.CLOSING

    def _waited(self) -> None:
        if self.state is State.WATCHING:
            self._watched += LOOK_SECONDS
            self._looking = True
        else:
            self._go(State.OPENING)

    def _read_back(self, generation: Generation) -> None:
        if self.state is State.LOCATING:
            assert self._tail is not None
            if generation.token == self.token and not generation.closed:
                self._end(Won(generation.start, self._tail.seq_num, self._stopped))
            else:
                # It was ended since, so its key is in the token now.
                self._go(State.OPENING)
        elif self.state is State.COMPARING:
            self._compare(generation)
        elif generation.token != self.guess or generation.closed:
            self._go(State.OPENING)
        else:
            self._close(generation)

    def _compare(self, generation: Generation) -> None:
        if generation.token and tokens.parse(generation.token).key != self._key:
            # Another run followed, so that the guess was out of date. Whether this one ran is for ``history`` to say.
            self.guess = ""
            self._go(State.OPENING)
        else:
            self._end(Repeated() if self._repeats(generation) else Conflict())

    def _close(self, dead: Generation) -> None:
        assert self._tail is not None
        chunks = dead.parts.end(Ending(Outcome.LOST, error=self._message), dead.last_at)
        self._closing_token = tokens.terminal(tokens.parse(self.guess).key, failed=True)
        records = [*(NewRecord(encode(chunk)) for chunk in chunks), fence(self._closing_token)]
        self._closing = Append(records, self.guess, self._tail.seq_num)
        self._stopped = self._stopped or self._run_id in dead.stops

    def _read(self, records: list[Record]) -> None:
        assert self._tail is not None
        found = [tokens.parse(fence_token(record) or "") for record in records]
        if len(found) == self._tail.seq_num and all(token.stopped_early for token in found):
            self._length = len(found)
            self._stopped = self._stopped or any(token.key == self._key for token in found)
            self._go(State.OPENING)
        else:
            self._end(Used())

    @property
    def _skew(self) -> float:
        """How far, in ms, the log's clock may be ahead of ours without a reason to suspect either.

        A writer of ours shows within a second that it lives. Another implementation's may not, so it gets more time.
        """
        return SKEW_MS if tokens.is_ours(self.guess) else self._foreign_lease_ms

    @property
    def _lease(self) -> float:
        return self._lease_ms if tokens.is_ours(self.guess) else self._foreign_lease_ms

    def _busy(self, silence_ms: float) -> Busy:
        """Return the time until a dead writer's chat could be taken over, within bounds."""
        return Busy(min(LONGEST_RETRY, max(1, math.ceil((self._lease - silence_ms) / 1000))))
