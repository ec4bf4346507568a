"""Hooks around the snapshot that Lambda takes of a started function, and restores as often as it needs environments.

Whatever may exist once only, or grows old, is let go of before the snapshot and made after a restore: connections,
tokens, secrets that may have been rotated. Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

Hook = Callable[[], Awaitable[None] | None]
H = TypeVar("H", bound=Hook)

_AWS: Final = "snapshot_restore_py"
"""AWS's module for the same purpose, whose hooks libraries may have registered."""


class Hooks:
    """The hooks of one process."""

    def __init__(self) -> None:
        self._before: list[Hook] = []
        self._after: list[Hook] = []

    def before_snapshot(self, hook: H) -> H:
        """Register a hook, plain or ``async``, for the end of init. Hooks run in reverse order."""
        self._before.append(hook)
        return hook

    def after_restore(self, hook: H) -> H:
        """Register a hook, plain or ``async``, for the start of each restored environment. Hooks run in order."""
        self._after.append(hook)
        return hook

    async def run_before_snapshot(self) -> None:
        """Run the hooks, ours before AWS's. Raises what a hook raises."""
        for hook in [*reversed(self._before), *reversed(_of_aws("get_before_snapshot"))]:
            await _run(hook)

    async def run_after_restore(self) -> None:
        """Seed ``random``, whose state is the same in every copy, and run the hooks, AWS's before ours.

        ``os.urandom``, ``secrets`` and ``uuid4`` ask the kernel and need no hook. Raises what a hook raises.
        """
        random.seed()
        for hook in [*_of_aws("get_after_restore"), *self._after]:
            await _run(hook)


async def _run(hook: Hook) -> None:
    result = hook()
    if inspect.isawaitable(result):
        await result


def _of_aws(function: str) -> list[Hook]:
    """Return AWS's hooks, which are stored with their arguments; none where nobody has imported its module."""
    find: Callable[[], list[tuple[Callable[..., Any], Any, Any]]] | None
    find = getattr(sys.modules.get(_AWS), function, None)
    return [] if find is None else [_bound(*registered) for registered in find()]


def _bound(call: Callable[..., Any], positional: Any, named: Any) -> Hook:
    def hook() -> Any:
        return call(*positional, **named)

    return hook


hooks = Hooks()
"""The process's own, which the runtime runs."""

before_snapshot = hooks.before_snapshot
after_restore = hooks.after_restore
