"""How a run ended, as every reader of the chat gets it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from .chunks import Chunk

DEFAULT_ERROR: Final = "An error occurred."
"""Public text of a failure that has none of its own."""

WRITER_LOST: Final = "writer_lost"
DEADLINE: Final = "deadline"
SHUTDOWN: Final = "shutdown"

MAX_ERROR_CHARACTERS: Final = 1000
"""A longer public text is cut off: what ends a generation must fit one append."""

TOOL_CALLS: Final = "tool_calls"
"""Finish reason of a run that waits for the results of its tool calls."""


class Outcome(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    """The source ended it; ``finish_reason`` is the provider's."""
    STOPPED = "stopped"
    """Someone stopped it."""
    FAILED = "failed"
    """The source failed, or its process was shut down."""
    LOST = "lost"
    """Its writer fell silent and was given up."""
    DEADLINE = "deadline"
    """It was still running when its process had to end."""


_CODES: Final = {Outcome.LOST: WRITER_LOST, Outcome.DEADLINE: DEADLINE}
_OUTCOMES: Final = {code: outcome for outcome, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, with the public text and the code of a failure, and the finish reason of a success."""

    outcome: Outcome
    error: str | None = None
    code: str | None = None
    finish_reason: str | None = None

    @property
    def failed(self) -> bool:
        """Whether a RUN_ERROR says it, and a fence that begins with ``error-``."""
        return self.outcome not in (Outcome.FINISHED, Outcome.STOPPED)

    def terminal(self, run_id: str | None, thread_id: str | None = None) -> Chunk:
        """Return the RUN_FINISHED or RUN_ERROR that tells clients the run is over.

        ``run_id`` is the id that the RUN_STARTED named, None if it named none.
        """
        if self.failed:
            message = (self.error or DEFAULT_ERROR)[:MAX_ERROR_CHARACTERS]
            code = self.code or _CODES.get(self.outcome)
            chunk: Chunk = {"type": "RUN_ERROR", "message": message, "error": {"message": message}}
            return _with(chunk, runId=run_id, code=code)
        # After `tool_calls` a client goes on waiting for this run.
        reason = self.finish_reason if self.finish_reason not in (None, TOOL_CALLS) else "stop"
        return _with({"type": "RUN_FINISHED", "finishReason": reason}, runId=run_id, threadId=thread_id)


def _with(chunk: Chunk, **more: str | None) -> Chunk:
    return chunk | {key: value for key, value in more.items() if value is not None}


def ending_of(terminal: Chunk) -> Ending:
    """Return what a RUN_FINISHED or RUN_ERROR says about its run, whoever wrote it."""
    if terminal.get("type") == "RUN_FINISHED":
        return Ending(Outcome.FINISHED, finish_reason=finish_reason(terminal))
    code = terminal.get("code")
    code = code if isinstance(code, str) else None
    outcome = _OUTCOMES.get(code, Outcome.FAILED) if code is not None else Outcome.FAILED
    return Ending(outcome, error=_error_text(terminal), code=code)


def finish_reason(finished: Chunk) -> str | None:
    """Return the finish reason of a RUN_FINISHED, from where TanStack AI reads it."""
    reason = finished["finishReason"] if "finishReason" in finished else _tanstack(finished).get("finishReason")
    return reason if isinstance(reason, str) else None


def usage_of(finished: Chunk) -> dict[str, Any] | None:
    """Return the token usage that a RUN_FINISHED reports."""
    usage = finished["usage"] if "usage" in finished else _tanstack(finished).get("usage")
    return usage if isinstance(usage, dict) else None


def _error_text(terminal: Chunk) -> str:
    error = terminal.get("error")
    texts = (terminal.get("message"), error.get("message") if isinstance(error, dict) else None)
    return next((text for text in texts if isinstance(text, str) and text), DEFAULT_ERROR)


def _tanstack(chunk: Chunk) -> dict[str, Any]:
    metadata = chunk.get("metadata")
    found = metadata.get("tanstack") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
