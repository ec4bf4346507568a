"""What the records before a claim say of its run: that it ran already, or that it was stopped before it began.

A token says so only while it is in force, that is until another run follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from . import tokens
from .chunks import decode
from .marks import RUNS, STOP, TURN, earlier_runs, stopped_run
from .records import Kind, Record, fence_token, kind
from .turns import Turn, read_turn

LOOK_BACK: Final = 2_000
"""Records before a claim that are looked through for its run, whatever the sender had read."""

FURTHEST: Final = 20_000
"""Records that are looked through at most, if the sender had read less than that."""

KEPT_RUNS: Final = 200
"""Runs of a shared stream that are remembered after their records were trimmed."""

_MARKS: Final = tuple(f'"{name}"'.encode() for name in (TURN, STOP, RUNS))


def look_back_from(start: int, sender_cursor: int | None) -> int:
    """Return where to begin to look for a run whose generation opens at ``start``.

    A repetition, or a stop, that came more than 2,000 records before the claim and before the sender's cursor is not
    found, nor one more than 200 records before it if the records take over 8 MiB: the run then counts as new.
    """
    cursor = start if sender_cursor is None else min(sender_cursor, start)
    return max(0, start - FURTHEST, min(cursor, start - LOOK_BACK))


class History:
    """Looks through records for one run."""

    def __init__(self, run_id: str, is_other: Callable[[Turn], bool] = lambda turn: False) -> None:
        """``is_other`` says that a stored turn with this run's id is another message: then it is another run."""
        self.ran = False
        self.stopped = False
        self.keys: dict[str, None] = {}
        """Keys of the runs that were found, oldest first."""
        self._run_id = run_id
        self._key = tokens.key_of(run_id)
        self._is_other = is_other
        self._other = False

    def feed(self, records: Iterable[Record]) -> None:
        """Take in the next records."""
        for record in records:
            token = fence_token(record)
            if token is not None:
                self._fence(tokens.parse(token))
            elif kind(record) is Kind.DATA and any(mark in record.body for mark in _MARKS):
                self._mark(record)

    def _fence(self, token: tokens.Token) -> None:
        if token.key is None:
            return
        if token.stopped_early:
            self.stopped = self.stopped or token.key == self._key
            return
        self.keys[token.key] = None
        if token.key != self._key:
            return
        if token.running:
            # Its turn, if it has one, says whether it is the same message.
            self.ran, self._other = True, False
        else:
            self.ran = self.ran or not self._other

    def _mark(self, record: Record) -> None:
        chunk = decode(record.body)
        if chunk is None:
            return
        turn = read_turn(chunk)
        if turn is not None and turn.run_id == self._run_id and not turn.pending:
            self._other = self._is_other(turn)
            self.ran = not self._other
        if stopped_run(chunk) == self._run_id:
            self.stopped = True
        for key in earlier_runs(chunk):
            self.keys[key] = None
            self.ran = self.ran or key == self._key

    def kept(self) -> list[str]:
        """Return the keys to carry over a trim: the newest, this run's left out."""
        return [key for key in self.keys if key != self._key][-KEPT_RUNS:]
