"""What the machines of this package ask of a log, and what they are told: the machines do no I/O of their own.

A machine's ``next()`` returns one of the steps below, or its result. The caller carries the step out and hands the
outcome to ``feed``: a Landed, TailAt, Generation, list of records or None, or the error that the log raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..errors import AppendOutcomeUnknown, FencingTokenMismatch, SeqNumMismatch
from .generation import Generation
from .records import NewRecord, Record

_FIRST_PAUSE: Final = 0.05
_DOUBLINGS: Final = 4


@dataclass(frozen=True, slots=True)
class Append:
    """Append these records. Feed a Landed, or the refusal, or AppendOutcomeUnknown.

    ``with_body`` asks for the caller's own records behind these, in the same batch.
    """

    records: Sequence[NewRecord]
    fencing_token: str
    match_seq_num: int | None = None
    with_body: bool = False


@dataclass(frozen=True, slots=True)
class CheckTail:
    """Look at the end of the stream. Feed a TailAt."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Read the newest generation of the records before ``end``. Feed a Generation."""

    end: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read the records before ``end``. Feed a list of them."""

    end: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait so many seconds. Feed None."""

    seconds: float


class Landed(NamedTuple):
    """Where a batch landed: records ``start`` up to, not including, ``end``."""

    start: int
    end: int


class TailAt(NamedTuple):
    """The next sequence number, the last record's time, and this process's time, in ms since 1970.

    The first time is by the log's clock, the second by the process's own.
    """

    seq_num: int
    timestamp: int
    now: int

    @property
    def silence_ms(self) -> int:
        """The apparent age of the last record. It compares two clocks, so it may be wrong, or negative."""
        return self.now - self.timestamp


Answer = (
    Landed | TailAt | Generation | list[Record] | FencingTokenMismatch | SeqNumMismatch | AppendOutcomeUnknown | None
)
"""What became of a step."""


def pause(attempt: int) -> Wait:
    """Return the pause after failed attempt number ``attempt`` (from 0): 50 ms, doubling up to 0.8 s."""
    return Wait(_FIRST_PAUSE * 2 ** min(attempt, _DOUBLINGS))
