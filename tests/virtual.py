"""Virtual time for tests: what waits for a timer waits no longer than it takes to get there."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from .simulation.loop import VirtualLoop

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop whose clock jumps to the next timer whenever nothing else is left to do."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
