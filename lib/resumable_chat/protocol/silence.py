"""When a silent writer counts as lost, and when a log that fails counts as gone, by this process's own clock.

All times are in seconds; ``now`` is any clock that only goes forward, the same for all calls.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

PROMPT: Final = 1.0
"""Seconds within which the log answers when it is well, and within which this process does what is due."""

_SHORTEST: Final = 0.05
_LONGEST: Final = 1.0
"""Seconds to sleep at least and at most while a writer is watched: a process that stands still must notice it."""

_BACKOFF: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_CALM: Final = 5.0
"""Seconds between two failures that have nothing to do with each other."""


class Watch(Enum):
    """What can be said of the writer."""

    BLIND = "blind"
    """Nothing: the log is out of reach, or was not read up to its end yet."""
    LISTENING = "listening"
    """How long it has been silent."""


class Silence:
    """Watches one writer, whose records or heartbeats come at least every second while it is well.

    A freeze of this process, or of the log, is not silence: the lease then begins again.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._heard_at = 0.0
        self.watch = Watch.BLIND

    def heard(self, now: float) -> None:
        """Take note of a record, or of any other reason to begin the lease again."""
        self.watch = Watch.LISTENING
        self._heard_at = now

    def lost_touch(self) -> None:
        """Take note that the log is out of reach. Only ``heard`` ends that."""
        self.watch = Watch.BLIND

    def slept(self, planned: float, now: float) -> None:
        """Take note of a sleep that was to end at ``planned``: one that took much longer was a freeze."""
        if now > planned + PROMPT and self.watch is Watch.LISTENING:
            self._heard_at = now

    def answered(self, asked: float, now: float) -> bool:
        """Return whether the log answered a question promptly. If not, it was the log that was silent."""
        if now <= asked + PROMPT:
            return True
        self.heard(now)
        return False

    def due(self, now: float) -> float:
        """Return the seconds to sleep before asking again, 0 if the lease is over."""
        if self.watch is Watch.BLIND:
            return _LONGEST
        left = self._lease - (now - self._heard_at)
        return 0.0 if left <= 0 else min(_LONGEST, max(_SHORTEST, left))


class Outage:
    """Counts how long a log has failed since it last worked, and paces the attempts to reach it."""

    def __init__(self, give_up_after: float) -> None:
        self._give_up_after = give_up_after
        self._failing_since: float | None = None
        self._failed_at = -_CALM
        self._attempts = 0

    def worked(self) -> None:
        """Take note that the log answered."""
        self._failing_since = None

    def failed(self, now: float) -> float | None:
        """Return the seconds to wait before the next attempt; None if the log has failed for too long."""
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since > self._give_up_after:
            return None
        if now - self._failed_at >= _CALM:
            self._attempts = 0
        pause = _BACKOFF[min(self._attempts, len(_BACKOFF) - 1)]
        self._attempts += 1
        self._failed_at = now
        return pause
