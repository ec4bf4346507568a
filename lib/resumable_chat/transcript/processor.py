"""The fold of chunks into messages, with the results of TanStack AI's StreamProcessor 0.58, but deterministic.

Where the browser makes up an id or looks at the clock, this derives both from the record: ``msg-<sequence number>``
and the record's timestamp. Two folds of one log give the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ..protocol.chunks import Chunk
from . import custom, reasoning, runs, shapes, snapshot, text, tools
from .messages import MessageList
from .state import Fold, Streaming
from .values import MISSING, Message, Unfoldable, restored

_HANDLERS: Final[dict[str, Callable[[Fold, Chunk], None]]] = {
    "TEXT_MESSAGE_START": text.start,
    "TEXT_MESSAGE_CONTENT": text.content,
    "TEXT_MESSAGE_END": text.end,
    "TOOL_CALL_START": tools.start,
    "TOOL_CALL_ARGS": tools.args,
    "TOOL_CALL_END": tools.end,
    "TOOL_CALL_RESULT": tools.result,
    "RUN_STARTED": runs.started,
    "RUN_FINISHED": runs.finished,
    "RUN_ERROR": runs.failed,
    "STEP_STARTED": reasoning.step_started,
    "STEP_FINISHED": reasoning.step_finished,
    "REASONING_MESSAGE_CONTENT": reasoning.content,
    "REASONING_ENCRYPTED_VALUE": reasoning.encrypted_value,
    "CUSTOM": custom.custom,
    "MESSAGES_SNAPSHOT": snapshot.snapshot,
}


class Refused(NamedTuple):
    """A chunk that could not be folded: the sequence number of its record, and the reason. It changed nothing."""

    seq_num: int
    reason: str


class StreamProcessor:
    """Folds chunks into UIMessages. It never raises, whatever a chunk holds.

    The messages belong to the processor, and so do values that chunks brought: serialise them before the next call.
    """

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._fold = Fold(MessageList(messages))

    @property
    def messages(self) -> list[Message]:
        """The messages as of now, each with ``id``, ``role`` and ``parts``. Do not change the list."""
        return self._settled().as_list

    def _settled(self) -> MessageList:
        """Return the messages once the deltas that were collected are in them."""
        self._fold.run.end()
        return self._fold.messages

    # --- Edits of the list. What streams is not touched. --------------------------------------------------------

    def append_message(self, message: Message) -> None:
        """Add a message at the end, in constant time."""
        self._settled().append(message)

    def insert_message(self, message: Message, *, after: str | None) -> bool:
        """Insert a message behind the one with the id ``after`` (None: first), moving those behind it.

        Return False, and change nothing, if that id is unknown.
        """
        return self._settled().insert_after(after, message)

    def replace_message(self, message: Message) -> bool:
        """Put a message in the place of the one with its id, in constant time; False if that id is unknown."""
        return self._settled().replace(message)

    def cut_after(self, message_id: str | None) -> bool:
        """Remove the messages behind the one with this id (None: all), in time proportional to them.

        Return whether any was removed; an unknown id removes none.
        """
        return self._settled().cut_after(message_id)

    def find_message(self, message_id: str) -> Message | None:
        """Return the first message with this id, in constant time."""
        return next(iter(self._settled().named(message_id)), None)

    def replace_messages(self, messages: Iterable[Message]) -> None:
        """Set the whole list, in time proportional to it."""
        self._fold.run.end()
        self._fold.messages = MessageList(messages)

    # --- Chunks -------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget all that streams, as a browser does when it sends."""
        self._fold.run.end()
        self._fold.streaming = Streaming()

    def copy(self) -> StreamProcessor:
        """Return an independent processor in the same state."""
        self._fold.run.end()
        other = StreamProcessor()
        other._fold = self._fold.copy()
        return other

    def process(self, chunk: Chunk, *, seq: int, timestamp: int) -> Refused | None:
        """Fold one chunk; return why if it could not be folded.

        ``seq`` is its record's sequence number, ``timestamp`` the record's time in ms since 1970.
        """
        run = self._fold.run
        try:
            kind = chunk["type"]
            if kind == run.kind and run.take(chunk):
                return None
            run.end()
            handle = _HANDLERS.get(kind)
            if handle is None:
                return None
            if "metadata" in chunk or "tanstack" in chunk:
                chunk = restored(chunk)
            shapes.check(kind, chunk)
            fold = self._fold
            fold.seq_num = seq
            fold.times = (chunk.get("timestamp"), timestamp)
            fold.ids_made = 0
            handle(fold, chunk)
        except Unfoldable as error:
            return Refused(seq, str(error))
        except Exception as error:  # noqa: BLE001 - a record must not make the chat around it unreadable
            return Refused(seq, repr(error))
        return None

    def process_many(self, chunks: Iterable[tuple[Chunk, int, int]]) -> list[Refused]:
        """Fold (chunk, seq, timestamp) in turn; return those that could not be folded."""
        refused: list[Refused] = []
        process = self.process
        run = self._fold.run
        append = run.deltas.append
        target = run.target if run.kind == "TEXT_MESSAGE_CONTENT" else MISSING
        for chunk, seq, timestamp in chunks:
            # The hot path: one more delta for the text that is being written, spelled out for its speed.
            if (
                chunk.get("messageId") == target
                and chunk["type"] == "TEXT_MESSAGE_CONTENT"
                and "metadata" not in chunk
                and type(delta := chunk.get("delta")) is str
            ):
                append(delta)
                continue
            refusal = process(chunk, seq=seq, timestamp=timestamp)
            target = run.target if run.kind == "TEXT_MESSAGE_CONTENT" else MISSING
            if refusal is not None:
                refused.append(refusal)
        return refused

    def finalize(self) -> None:
        """End the stream: complete tool calls, and drop a blank answer."""
        self._fold.run.end()
        runs.settle(self._fold)
