"""Which generation of a stream a reader asks for, and the ones that a view does not hold any more."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from ..errors import LogUnavailable
from ..log.port import Log
from ..view.generation import Generation
from ..view.view import View
from .following import GIVE_UP_AFTER


@dataclass(frozen=True, slots=True)
class Wanted:
    """The generation opened at ``start``, else the one of the run ``run_id``, else the newest.

    The newest is wanted while it runs, and after its end by a reader whose cursor lies in it, or for ``ended_within``
    seconds.
    """

    start: int | None = None
    run_id: str | None = None
    ended_within: float = 0.0

    def is_met_by(self, newest: Generation, cursor: int | None, now: float) -> bool:
        """Return whether the newest generation is the one. ``now`` is in seconds since 1970."""
        if self.start is not None:
            return newest.start == self.start
        if self.run_id is not None:
            return newest.has_run(self.run_id)
        if newest.running:
            return True
        # A reader that was cut off before the end comes back for the rest.
        if cursor is not None and newest.chunks and newest.start < cursor <= newest.chunks[-1].seq_num:
            return True
        if not self.ended_within or newest.ended_at is None:
            return False
        return now - newest.ended_at / 1000 < self.ended_within

    def is_met_before(self, view: View) -> int | None:
        """Return where an earlier generation opened that is the one; None if the view knows of none."""
        if self.start is not None:
            newest = view.generation
            return self.start if newest is not None and self.start < newest.start else None
        found = view.runs.get(self.run_id) if self.run_id is not None else None
        return found[0] if found is not None else None


async def read_generation(log: Log, stream: str, start: int) -> View | None:
    """Return a view of one generation that has ended, read from the log; None if the log does not hold it any more.

    Raises LogUnavailable.
    """
    view = View()
    try:
        async with asyncio.timeout(GIVE_UP_AFTER), aclosing(log.read(stream, start)) as batches:
            async for records in batches:
                for _ in view.feed(records):
                    generation = view.generation
                    if generation is None or generation.start != start:
                        return None
                    if not generation.running:
                        return view
    except TimeoutError:
        raise LogUnavailable("The log does not answer. Try again in a moment.") from None
    return None
