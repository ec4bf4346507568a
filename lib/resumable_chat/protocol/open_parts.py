"""What is open in a generation, and the chunks that close it.

The writer, a stop, a reader that reaps and a sender that takes over all end generations with it, so that every
reader learns the outcome of a run in the same way: the END of its last assistant message carries it as
``metadata.resumable.run``, right before the terminal chunk.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from .chunks import Chunk, run_started, text_end, text_start
from .marks import TURN
from .outcomes import (
    MAX_ERROR_CHARACTERS,
    TOOL_CALLS,
    Ending,
    Outcome,
    ending_of,
    finish_reason,
    usage_of,
)

METADATA: Final = "resumable"
"""Key of our own metadata on a message."""

MAX_ID_CHARACTERS: Final = 512
"""A longer id is none: what closes a generation must fit one append."""

MAX_OPEN: Final = 32
"""Runs, and texts, that are kept as open at once; the oldest are given up."""

_MAX_COUNTS: Final = 32
_LAST_MOMENT: Final = 253_402_300_799_999
"""The end of the year 9999, in milliseconds since 1970."""

_NOT_ASSISTANT: Final = frozenset({"user", "system"})
_SHOWN: Final = frozenset({"TOOL_CALL_START", "REASONING_MESSAGE_CONTENT", "REASONING_ENCRYPTED_VALUE", "CUSTOM"})
"""Chunk types that put something else than text into a message."""


class OpenParts:
    """The books of one generation: its runs, its open texts, and the message that carries its outcome.

    ``run_id`` names the run until a RUN_STARTED does. ``message_id`` is for the assistant message that is opened
    before a RUN_ERROR which would otherwise stand alone: consumers then each make up an id of their own.
    ``asked_id`` is the user's message, which carries the outcome of a run without an answer; a log that holds the
    turn names it by itself. ``started_at`` is in milliseconds since 1970 (None: when the first chunk came).

    Nothing that a chunk holds makes ``feed`` raise.
    """

    def __init__(
        self,
        run_id: str,
        message_id: str,
        *,
        asked_id: str | None = None,
        thread_id: str | None = None,
        started_at: int | None = None,
    ) -> None:
        self.run_id = run_id
        self.message_id = message_id
        self.thread_id = thread_id
        self.runs: dict[str | None, None] = {}
        """Ids of the open runs, in the order in which they started; None for a run without one."""
        self.texts: dict[str, None] = {}
        """Ids of the open text messages, in the order in which they were opened."""
        self.assistant: str | None = None
        """Id of the newest assistant message."""
        self.started = False
        """A RUN_STARTED was fed."""
        self._asked_id = asked_id
        self._asked: dict[str, None] = {}
        self._first_run: str | None = None
        self._started_at = started_at
        self._last: Chunk | None = None
        self.settled = False
        """The chunk fed last was a terminal after which nothing is owed."""
        self._blank = True
        self._went_on = False
        """The answer went on after the last terminal."""
        self._told: object = None
        """The outcome that a message carries already."""
        self._told_on: dict[str, None] = {}
        self._usage: dict[str, float] = {}

    def feed(self, chunk: Chunk, at: int) -> None:
        """Take note of the next chunk that is in the log, or is about to be.

        ``at`` is the record's timestamp, or the writer's time, in milliseconds since 1970.
        """
        if self._started_at is None:
            self._started_at = at
        self.settled = False
        kind = chunk["type"]
        if kind == "TEXT_MESSAGE_CONTENT":
            self._text(chunk)
        elif kind == "TEXT_MESSAGE_START":
            self._text_started(chunk)
        elif kind == "TEXT_MESSAGE_END":
            self._text_ended(chunk)
        elif kind == "RUN_STARTED":
            self._run_started(chunk)
        elif kind in ("RUN_FINISHED", "RUN_ERROR"):
            self._run_ended(chunk)
        elif kind in _SHOWN:
            self._part(chunk)

    def _text_started(self, chunk: Chunk) -> None:
        message_id = _string(chunk, "messageId")
        if message_id is not None:
            _keep(self.texts, message_id)
        role = chunk.get("role")
        if isinstance(role, str) and role in _NOT_ASSISTANT:
            if message_id is not None:
                _keep(self._asked, message_id)
                if role == "user":
                    self._asked_id = message_id
            return
        if message_id is not None and message_id != self.assistant:
            self.assistant = message_id
            self._blank = True
        self._told = None

    def _text(self, chunk: Chunk) -> None:
        message_id = _string(chunk, "messageId")
        if message_id in self._asked:
            return
        self._went_on = True
        self._told = None
        self.assistant = self.assistant or message_id
        delta = chunk.get("delta")
        if isinstance(delta, str) and delta.strip().strip("\ufeff"):
            self._blank = False

    def _text_ended(self, chunk: Chunk) -> None:
        message_id = _string(chunk, "messageId")
        if message_id is not None:
            self.texts.pop(message_id, None)
        metadata = chunk.get("metadata")
        ours = metadata.get(METADATA) if isinstance(metadata, dict) else None
        run = ours.get("run") if isinstance(ours, dict) else None
        if isinstance(run, dict):
            self._told = run.get("outcome")
            if message_id is not None:
                _keep(self._told_on, message_id)

    def _part(self, chunk: Chunk) -> None:
        if chunk["type"] == "CUSTOM":
            turn = chunk.get("value") if chunk.get("name") == TURN else None
            message = turn.get("message") if isinstance(turn, dict) else None
            if isinstance(message, dict) and message.get("role") == "user":
                self._asked_id = _string(message, "id") or self._asked_id
            if chunk.get("name") not in ("structured-output.start", "structured-output.complete", "ui-resource"):
                return
        self._blank = False
        self._went_on = True
        self._told = None
        self.assistant = self.assistant or _string(chunk, "parentMessageId")

    def _run_started(self, chunk: Chunk) -> None:
        run_id = _string(chunk, "runId")
        if not self.started:
            self._first_run = run_id
        self.started = True
        self.thread_id = _string(chunk, "threadId") or self.thread_id
        self._last = None
        self._told = None
        _keep(self.runs, run_id)

    def _run_ended(self, chunk: Chunk) -> None:
        self._last = chunk
        self._went_on = False
        run_id = _string(chunk, "runId")
        if run_id is None and chunk["type"] == "RUN_ERROR":
            self.runs.clear()
        else:
            self.runs.pop(run_id, None)
        _add(self._usage, usage_of(chunk))
        self.settled = not self.open

    @property
    def answered(self) -> bool:
        """Whether an assistant message exists, so that an error has a place."""
        return self.assistant is not None

    @property
    def terminated(self) -> bool:
        """Whether a RUN_FINISHED or RUN_ERROR came after the last RUN_STARTED."""
        return self._last is not None

    @property
    def failed(self) -> bool:
        """Whether the last terminal was a RUN_ERROR."""
        return self._last is not None and self._last["type"] == "RUN_ERROR"

    @property
    def open(self) -> bool:
        """Whether a terminal chunk is still owed to readers."""
        return bool(self.runs) or self._last is None or _hangs(self._last)

    def last(self, terminal: Chunk) -> bool:
        """Whether no run is open any more after this RUN_FINISHED or RUN_ERROR."""
        return not self.runs.keys() - {_string(terminal, "runId")}

    def resolve(self, ending: Ending) -> Ending:
        """Return how the generation ends if it ends like this now: its own terminal, if it came last, has said so.

        A failure or a stop behind that terminal leaves a whole answer whole, but not one that went on after it.
        """
        own = self._last
        if own is None or self.runs or (self._went_on and ending.outcome is not Outcome.FINISHED):
            return ending
        if not _hangs(own):
            return ending_of(own)
        return Ending(Outcome.FINISHED, finish_reason=TOOL_CALLS) if ending.outcome is Outcome.FINISHED else ending

    def before(self, terminal: Chunk, at: int) -> list[Chunk]:
        """Return the chunks that come right before the source's own terminal: ends of texts, and the outcome."""
        if not self.last(terminal):
            return []
        usage = _add(dict(self._usage), usage_of(terminal))
        return self._ends(ending_of(terminal), at, usage)

    def end(self, ending: Ending, at: int) -> list[Chunk]:
        """Return the chunks that end the generation; none if its own terminal and its outcome are there already.

        ``at`` is the time in milliseconds since 1970.
        """
        ending = self.resolve(ending)
        if not self.open:
            return self._ends(ending, at, self._usage)
        bubble = [text_start(self.message_id)] if ending.failed and not self.answered else []
        ends = self._ends(ending, at, self._usage, opened=bool(bubble))
        owed = list(self.runs) or [_string(self._last, "runId") if self._last else self.run_id]
        return [
            *([] if self.started else [run_started(self.run_id, self.thread_id)]),
            *bubble,
            *ends,
            *(ending.terminal(run_id, self.thread_id) for run_id in owed),
        ]

    @property
    def _id(self) -> str:
        return self._first_run if self._first_run is not None else self.run_id

    def _ends(self, ending: Ending, at: int, usage: dict[str, float], *, opened: bool = False) -> list[Chunk]:
        """Return the ends of the open texts, and the outcome on the message that carries it.

        Readers remove a message of nothing but white space when its run ends without an error, so the user's message
        carries the outcome then, too.
        """
        carrier = self.message_id if opened else self.assistant
        ends = [text_end(message_id) for message_id in self.texts if message_id != carrier]
        if self._told == ending.outcome.value and not opened:
            return ends if carrier is None or carrier not in self.texts else [*ends, text_end(carrier)]
        metadata = {METADATA: {"run": self._outcome(ending, at, usage)}}
        if carrier is not None:
            ends.append({**text_end(carrier), "metadata": metadata})
        lonely = carrier is None or (self._blank and not ending.failed) or self._asked_id in self._told_on
        if self._asked_id is not None and lonely:
            ends.append({**text_end(self._asked_id), "metadata": metadata})
        return ends

    def _outcome(self, ending: Ending, at: int, usage: dict[str, float]) -> dict[str, Any]:
        outcome: dict[str, Any] = {"id": self._id, "outcome": ending.outcome.value}
        if ending.failed and ending.error:
            outcome["error"] = ending.error[:MAX_ERROR_CHARACTERS]
        if ending.finish_reason is not None:
            outcome["finishReason"] = ending.finish_reason[:MAX_ID_CHARACTERS]
        outcome["startedAt"] = iso(self._started_at if self._started_at is not None else at)
        outcome["endedAt"] = iso(at)
        if usage:
            outcome["usage"] = dict(usage)
        return outcome


def iso(ms: int) -> str:
    """Return milliseconds since 1970 as ISO-8601 with milliseconds and Z, up to the year 9999."""
    return (
        datetime.fromtimestamp(min(max(ms, 0), _LAST_MOMENT) / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _hangs(terminal: Chunk) -> bool:
    """Whether clients go on waiting after this terminal: TanStack AI takes it for a step of an agent's loop."""
    if terminal["type"] != "RUN_FINISHED" or finish_reason(terminal) != TOOL_CALLS:
        return False
    outcome = terminal.get("outcome")
    return not (isinstance(outcome, dict) and outcome.get("type") == "interrupt")


def _add(total: dict[str, float], usage: dict[str, Any] | None) -> dict[str, float]:
    """Add the token counts that one run reports to the generation's."""
    for name, count in (usage or {}).items():
        countable = type(count) in (int, float) and abs(count) < 2**53 and len(name) <= MAX_ID_CHARACTERS
        if countable and (name in total or len(total) < _MAX_COUNTS):
            total[name] = total.get(name, 0) + count
    return total


def _keep(kept: dict[Any, None], new: str | None) -> None:
    kept[new] = None
    if len(kept) > MAX_OPEN:
        del kept[next(iter(kept))]


def _string(chunk: Chunk, key: str) -> str | None:
    value = chunk.get(key)
    return value if isinstance(value, str) and len(value) <= MAX_ID_CHARACTERS else None
