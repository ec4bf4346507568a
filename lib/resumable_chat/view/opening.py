"""The opening of a generation: the records that carry the user's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..protocol.open_parts import iso
from ..protocol.turns import Turn, read_turn
from .events import Skipped, TurnBegan
from .generation import ChunkRead, Generation, UserTurn
from .transcript import Transcript

_TEXT_EVENTS: Final = frozenset({"TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"})


class Opening:
    """Puts the user's messages of one generation into the transcript, and knows what readers have yet to learn.

    Our own turns come as ``resumable.turn`` chunks, with text events for other readers behind them. Another
    implementation writes text events alone. ``past`` holds the turns of earlier generations by their runs;
    ``newest_data`` is the sequence number of the last data record before the opening fence.
    """

    def __init__(
        self, generation: Generation, transcript: Transcript, past: Mapping[str, Turn], newest_data: int
    ) -> None:
        self._generation = generation
        self._transcript = transcript
        self._past = past
        self.asked: dict[str, Turn] = {}
        """The turn to be answered, by its run."""
        self._newest_data = newest_data
        self._by_id: dict[str, UserTurn] = {}
        self._announced: int | None = None
        self._additive = True
        self._repeated = False

    @property
    def has_news(self) -> bool:
        """Whether the user's messages hold something that no TurnBegan told."""
        return self._repeated or len(self._generation.turns) > (self._announced or 0)

    @property
    def is_due(self) -> bool:
        """Whether a TurnBegan has to come before the answer."""
        return self._announced is None or self.has_news

    def began(self) -> TurnBegan:
        """Return what has to be told now. From then on it counts as told."""
        generation = self._generation
        fresh = tuple(generation.turns[self._announced or 0 :])
        event = TurnBegan(generation, fresh, generation.answer_from, self._additive, self._repeated)
        self._announced = len(generation.turns)
        self._additive, self._repeated = True, False
        return event

    def take(self, read: ChunkRead) -> list[Skipped] | None:
        """Take in a record of the user's messages; None if it is the first of the answer instead.

        Otherwise return what had to be skipped of it. May raise anything for a record of an impossible shape.
        """
        turn = read_turn(read.chunk)
        if turn is not None:
            self._add(turn, read)
            skipped: list[Skipped] = []
        elif read.chunk["type"] in _TEXT_EVENTS:
            found = self._text_of(read)
            if found is None:
                return None
            found.texts.append(read)
            skipped = [] if found.record is not None else self._fold_foreign(found, read)
        else:
            return None
        self._generation.answer_from = read.seq_num + 1
        return skipped

    def _add(self, turn: Turn, read: ChunkRead) -> None:
        generation = self._generation
        user_turn = self._by_id[turn.message["id"]] = UserTurn(turn.message, read)
        if turn.run_id is not None:
            generation.parts.run_id = turn.run_id
            before = self._past.get(turn.run_id)
            if before is not None and before.repeats(turn):
                # Its message is here already. A snapshot has tabs leave the run before it.
                self._repeated, self._additive = True, False
                return
            self.asked[turn.run_id] = turn
            generation.run_ids[turn.run_id] = None
        turn.message.setdefault("createdAt", iso(read.timestamp))
        added = self._transcript.put(turn, position=generation.start, newest_data=self._newest_data)
        self._additive = self._additive and added and turn.message["role"] == "user"
        generation.turns.append(user_turn)

    def _text_of(self, read: ChunkRead) -> UserTurn | None:
        message_id = read.chunk.get("messageId")
        if not isinstance(message_id, str):
            return None
        turn = self._by_id.get(message_id)
        if turn is None and read.chunk.get("role") == "user":
            turn = self._by_id[message_id] = UserTurn({}, None)
        return turn

    def _fold_foreign(self, turn: UserTurn, read: ChunkRead) -> list[Skipped]:
        skipped = [each for step in self._transcript.fold([read]) for each in step]
        if read.chunk["type"] == "TEXT_MESSAGE_END" and turn not in self._generation.turns:
            turn.message = self._transcript.find(read.chunk["messageId"]) or {}
            self._generation.turns.append(turn)
        return skipped
