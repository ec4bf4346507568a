"""What is open in a generation, and the chunks that close it: shared by the writer, by stop and by whoever reaps."""

from __future__ import annotations

from .chunks import Chunk, run_error, run_finished, run_started, text_end, text_start

WRITER_LOST = "writer_lost"
DEADLINE = "deadline"
SHUTDOWN = "shutdown"


class OpenParts:
    """Follows a generation's chunks and knows which runs and text messages are open.

    ``run_id`` is the id to use if the generation ends before any RUN_STARTED, ``message_id`` the assistant message
    to open before a RUN_ERROR that would otherwise stand alone (consumers then each make up an id of their own).
    """

    def __init__(self, run_id: str, message_id: str) -> None:
        self.run_id = run_id
        self.message_id = message_id
        self.runs: dict[str | None, None] = {}
        self.texts: dict[str, None] = {}
        self._asked: set[str] = set()
        """Messages that are not the assistant's."""
        self.started = False
        self.answered = False
        """An assistant message exists, so an error has a place."""
        self.failed = False
        """The last terminal was a RUN_ERROR."""
        self.terminated = False

    def feed(self, chunk: Chunk) -> None:
        """Take note of the next chunk that was or will be written."""
        kind = chunk["type"]
        if kind == "TEXT_MESSAGE_CONTENT":
            self.answered = self.answered or chunk.get("messageId") not in self._asked
        elif kind == "TEXT_MESSAGE_START":
            message_id = chunk.get("messageId")
            if isinstance(message_id, str):
                self.texts[message_id] = None
            if chunk.get("role") not in ("user", "system"):
                self.answered = True
            elif isinstance(message_id, str):
                self._asked.add(message_id)
        elif kind == "TEXT_MESSAGE_END":
            self.texts.pop(chunk.get("messageId", ""), None)
        elif kind == "RUN_STARTED":
            self.started = True
            self.terminated = False
            self.runs[_run_id(chunk)] = None
        elif kind == "RUN_FINISHED":
            self.terminated = True
            self.failed = False
            self.runs.pop(_run_id(chunk), None)
        elif kind == "RUN_ERROR":
            self.terminated = True
            self.failed = True
            run_id = _run_id(chunk)
            if run_id is None:
                self.runs.clear()
            else:
                self.runs.pop(run_id, None)

    @property
    def open(self) -> bool:
        """Whether a terminal chunk is still owed to readers."""
        return bool(self.runs) or not self.terminated

    def last(self, terminal: Chunk) -> bool:
        """Whether no run is open any more after this RUN_FINISHED or RUN_ERROR."""
        return not self.runs.keys() - {_run_id(terminal)}

    def finish(self, reason: str = "stop") -> list[Chunk]:
        """The chunks that end the generation well; none if its own terminal came last."""
        if not self.open:
            return self.end_texts()
        return [
            *self._begin(),
            *self.end_texts(),
            *(run_finished(run or self.run_id, reason=reason) for run in self._owed()),
        ]

    def fail(self, message: str, *, code: str | None = None) -> list[Chunk]:
        """The chunks that end the generation with an error; none if its own terminal came last."""
        if not self.open:
            return self.end_texts()
        bubble = [] if self.answered else [text_start(self.message_id)]
        texts = self.end_texts()
        if bubble:
            texts.append(text_end(self.message_id))
        return [
            *self._begin(),
            *bubble,
            *texts,
            *(run_error(message, run_id=run or self.run_id, code=code) for run in self._owed()),
        ]

    def _begin(self) -> list[Chunk]:
        return [] if self.started else [run_started(self.run_id)]

    def _owed(self) -> list[str | None]:
        return list(self.runs) or [self.run_id]

    def end_texts(self) -> list[Chunk]:
        """The ends of the open text messages."""
        return [text_end(message_id) for message_id in self.texts]


def _run_id(chunk: Chunk) -> str | None:
    run_id = chunk.get("runId")
    return run_id if isinstance(run_id, str) else None
