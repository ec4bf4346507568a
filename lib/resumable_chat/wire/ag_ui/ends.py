"""The first and the last event of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...protocol.chunks import Chunk
from ...protocol.outcomes import DEFAULT_ERROR, Ending, Outcome
from ...view.generation import interrupts_of
from .fields import Event, interrupts, usage

VERSION: Final = "1.0"
"""The version of the protocol that is spoken with clients that name one."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one client takes. ``thread_id`` is its name of the chat.

    ``current`` says that it speaks 1.0: it knows cancelled runs, pending calls, and files as sources of media.
    """

    thread_id: str
    current: bool = False


def first_event(dialect: Dialect, run_id: str, parent_run_id: str | None = None) -> Event:
    """Return the RUN_STARTED of a run."""
    event: Event = {"type": "RUN_STARTED", "threadId": dialect.thread_id, "runId": run_id}
    if dialect.current:
        event["protocolVersion"] = VERSION
    if parent_run_id is not None and parent_run_id != run_id:
        event["parentRunId"] = parent_run_id
    return event


def last_event(
    dialect: Dialect,
    run_id: str,
    ending: Ending,
    terminal: Chunk | None = None,
    usages: Sequence[Any] = (),
    pending: Sequence[str] = (),
) -> Event:
    """Return the RUN_FINISHED or RUN_ERROR of a run that ended like this.

    ``terminal`` is the last terminal chunk in the log, ``usages`` what its runs reported of tokens, ``pending`` the
    calls without a result.
    """
    used = usage(usages)
    counted = {"usage": used} if used else {}
    if ending.failed:
        code = ending.code or (None if ending.outcome is Outcome.FAILED else ending.outcome.value)
        coded = {"code": code} if code is not None else {}
        return {"type": "RUN_ERROR", "message": ending.error or DEFAULT_ERROR, **coded, **counted}
    event: Event = {"type": "RUN_FINISHED", "threadId": dialect.thread_id, "runId": run_id, **counted}
    if ending.outcome is Outcome.STOPPED:
        return {**event, "outcome": {"type": "cancelled"}} if dialect.current else event
    asked = interrupts(interrupts_of(terminal)) if terminal is not None else []
    if asked:
        return {**event, "outcome": {"type": "interrupt", "interrupts": asked}}
    if terminal is not None and terminal.get("result") is not None:
        event["result"] = terminal["result"]
    if dialect.current:
        event["outcome"] = {"type": "success", **({"pendingToolCallIds": [*pending]} if pending else {})}
    return event
