"""What happens in a session's log, as readers need to know it.

Every wire format turns these events into frames of its own:

* TurnBegan: a generation has opened. ``generation.start`` is the position of its opening fence, ``turns`` are the
  user's messages it began with, and ``next_seq`` is the cursor that stands for everything up to them.
* ChunkRead: the next chunk of the answer, from RUN_STARTED to its terminal chunks. The run ids of a generation are in
  ``generation.run_ids``, and where each run is in the log is in ``View.runs``.
* TurnEnded: the generation's terminal fence, at ``generation.end``, or the fence of a writer that took the stream
  over. ``ending`` is the outcome. ``generation.interrupt`` is the terminal chunk that left interrupts open, if any.
* Skipped: a record that cannot be used.

A response that carries one run begins with the chunks of ``generation.chunks`` and ends at the TurnEnded of that
generation, whatever terminal chunks came before: agent loops have several.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.outcomes import Ending
from .generation import ChunkRead, Generation, UserTurn


@dataclass(frozen=True, slots=True)
class TurnBegan:
    """A generation has opened, and the user's messages it began with are part of the view.

    ``turns`` are those that no earlier TurnBegan of the generation had. ``additive`` is False if messages changed in
    any other way than by additions at the end, so that clients need all of them. ``repeated`` marks the second copy
    of a request that ran before.
    """

    generation: Generation
    turns: tuple[UserTurn, ...]
    next_seq: int
    additive: bool = True
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A generation is over. ``replaced`` means that another writer opened its own without ending this one."""

    generation: Generation
    ending: Ending
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that no reader sees, and why."""

    seq_num: int
    reason: str


Event = TurnBegan | ChunkRead | TurnEnded | Skipped
