"""What the writer makes of a source's chunks before it stores them: a whole, well-formed generation."""

from __future__ import annotations

from .chunks import TERMINALS, Chunk, run_started, text_start
from .open_parts import OpenParts


class Lifecycle:
    """Completes the chunk sequence of one run.

    * RUN_STARTED comes first, and a run's terminal names the id its RUN_STARTED named.
    * The assistant's TEXT_MESSAGE_START follows RUN_STARTED at once. A reasoning-first or tool-first answer would
      otherwise attach to the message of an earlier turn in tabs that only watch. The source's own, later START of
      that message is renamed to the id given out.
    * Open text messages end before the terminal of the last open run. An END is held back until the source's next
      chunk, for the one before the terminal also carries the outcome.
    """

    def __init__(self, run_id: str, thread_id: str, message_id: str) -> None:
        self.parts = OpenParts(run_id, message_id, thread_id=thread_id)
        self._thread_id = thread_id
        self._message_id = message_id
        self._awaiting_start = False
        self._placeholder = False
        self._held: Chunk | None = None
        self._renamed: dict[str, str] = {}

    def feed(self, chunk: Chunk, at: int) -> list[Chunk]:
        """Return the chunks to store for the source's next chunk, yielded ``at`` (ms since 1970).

        Raises ValueError if it has no string ``type``.
        """
        if not isinstance(chunk.get("type"), str):
            raise ValueError("a source must yield chunks with a string `type`")
        kind = chunk["type"]
        out = [] if kind in TERMINALS else self._release()
        if kind == "TEXT_MESSAGE_END" and "metadata" not in chunk:
            self._held = self._rename(chunk)
            return out
        if kind == "RUN_STARTED":
            chunk = self._named(chunk)
            self._awaiting_start = self._awaiting_start or not self.parts.answered
        else:
            if not self.parts.started:
                out.append(run_started(self.parts.run_id, self._thread_id))
                self._awaiting_start = True
            if self._awaiting_start and kind not in ("CUSTOM", "RUN_FINISHED"):
                self._awaiting_start = False
                if not (kind == "TEXT_MESSAGE_START" and chunk.get("role") not in ("user", "system")):
                    out.append(self._start_for(chunk))
                    self._placeholder = True
            if kind in TERMINALS:
                self._held = None
                for stored in out:
                    self.parts.feed(stored, at)
                chunk = self._matching(chunk)
                ends = self.parts.before(chunk, at)
                for stored in ends:
                    self.parts.feed(stored, at)
                self.parts.feed(chunk, at)
                return [*out, *ends, chunk]
            if self._placeholder or self._renamed:
                chunk = self._rename(chunk)
        out.append(chunk)
        for stored in out:
            self.parts.feed(stored, at)
        return out

    def _release(self) -> list[Chunk]:
        """Return the END that was held back, now that it is known not to be the last."""
        held, self._held = self._held, None
        return [] if held is None else [held]

    def _named(self, chunk: Chunk) -> Chunk:
        return chunk if isinstance(chunk.get("runId"), str) else {**chunk, "runId": self.parts.run_id}

    def _start_for(self, chunk: Chunk) -> Chunk:
        for key in ("parentMessageId", "messageId"):
            named = chunk.get(key)
            # A reasoning chunk's own messageId names the thought, not the answer.
            names_another = chunk["type"] == "TOOL_CALL_RESULT" or (key == "messageId" and _is_reasoning(chunk))
            if isinstance(named, str) and named and not names_another:
                return text_start(named)
        return text_start(self._message_id)

    def _matching(self, chunk: Chunk) -> Chunk:
        runs = self.parts.runs
        if chunk.get("runId") in runs or not runs:
            return chunk if isinstance(chunk.get("runId"), str) else {**chunk, "runId": self.parts.run_id}
        return {**chunk, "runId": next(reversed(runs)) or self.parts.run_id}

    def _rename(self, chunk: Chunk) -> Chunk:
        if chunk["type"] == "TEXT_MESSAGE_START" and self._placeholder and chunk.get("role") not in ("user", "system"):
            self._placeholder = False
            theirs, ours = chunk.get("messageId"), next(reversed(self.parts.texts), self._message_id)
            if isinstance(theirs, str) and theirs != ours:
                self._renamed[theirs] = ours
        for key in ("messageId", "parentMessageId"):
            ours_now = self._renamed.get(chunk.get(key, ""))
            if ours_now is not None and not _is_reasoning(chunk):
                chunk = {**chunk, key: ours_now}
        return chunk


def _is_reasoning(chunk: Chunk) -> bool:
    return bool(chunk["type"].startswith(("REASONING_", "STEP_")))
