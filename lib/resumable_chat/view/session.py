"""What readers of a session see, as a pure state machine: records in, frames out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..protocol import tokens
from ..protocol.chunks import Chunk, decode
from ..protocol.json_text import dumps
from ..protocol.marks import is_mark
from ..protocol.open_parts import OpenParts
from ..protocol.records import Kind, Record, fence_token, kind
from ..protocol.turns import Turn, apply_turn, read_turn
from ..transcript import StreamProcessor
from .frames import Frame, Stored, coalesce

TURN_SNAPSHOT_BYTES: Final = 256 * 1024
"""A snapshot at a later turn is sent up to this size; above it, the user's message comes as text events."""

_TEXT_EVENTS: Final = frozenset({"TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"})


class SessionView:
    """A session's log up to ``position``: its finished messages, and the newest generation chunk by chunk.

    A generation opens with its preamble, the user's message; what follows stays unfolded until the generation
    ends, so that a reader who comes in between gets the messages before it, and then its chunks.
    """

    def __init__(self, *, snapshots: bool = True) -> None:
        """Without ``snapshots`` only the running generation counts: nothing is folded, nothing is announced."""
        self._snapshots = snapshots
        self.position = 0
        """The next sequence number to feed."""
        self.size = 0
        """Bytes of the data records that what is kept was made of."""
        self.token = ""
        self.skipped = 0
        """Records that could not be read, and chunks that made no sense."""
        self.parts = OpenParts("", "")
        self._fold = StreamProcessor()
        self._chunks: list[Stored] = []
        self._opened = False
        self._start = 0
        self._preamble_end = 0
        self._in_preamble = False
        self._user_ids: set[str] = set()
        self._user_events: list[Stored] = []
        self._announce = False
        self._must_snapshot = False
        self._newest_data = -1
        self._data_before = -1
        self._turn_now: Turn | None = None
        self._past_turns: dict[str, Turn] = {}
        self._snapshot: tuple[int, bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the newest generation has no terminal fence yet."""
        return tokens.parse(self.token).running

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The finished messages, and the running turn's user message. Serialise them before the next ``feed``."""
        return self._fold.messages

    def feed(self, records: Iterable[Record], *, emit: bool = True) -> list[Frame]:
        """Take in the next records; the frames that live readers get for them (none unless ``emit``)."""
        frames: list[Frame] = []
        fresh: list[Stored] = []
        for record in records:
            if record.seq_num < self.position:
                continue
            self.position = record.seq_num + 1
            if not record.headers:
                if record.body:
                    stored = self._data(record)
                    if stored is not None:
                        if emit and self._announce:
                            frames += self._turn()
                        fresh.append(stored)
                continue
            if kind(record) is Kind.FENCE:
                if emit:
                    frames += coalesce(fresh)
                    if self._announce:
                        frames += self._turn()
                fresh = []
                self._fence(record)
            elif kind(record) is Kind.FOREIGN:
                self.skipped += 1
        if emit:
            frames += coalesce(fresh)
            if self._announce:
                frames += self._turn()
        else:
            self._announce = False
            self._user_events.clear()
        return frames

    def opening(self, cursor: int | None, *, ended_too: bool = False) -> list[Frame]:
        """What a reader gets first: all after its cursor if that lies in the newest generation, else a snapshot."""
        if not self._snapshots:
            after = cursor if cursor is not None and cursor <= self.position else 0
            wanted = self._chunks if self.running or ended_too else []
            return coalesce(stored for stored in wanted if stored.seq_num >= after)
        if self._opened and cursor is not None and self._preamble_end <= cursor <= self.position:
            return coalesce(stored for stored in self._chunks if stored.seq_num >= cursor)
        if not self.position:
            return []
        running = self.running
        at = self._preamble_end if running else self.position
        frames = [Frame(at, self.snapshot())]
        return frames + coalesce(self._chunks) if running else frames

    def has_unread(self, cursor: int | None) -> bool:
        """Whether the cursor lies in the newest generation, before the last of its chunks."""
        return cursor is not None and self._start < cursor and bool(self._chunks) and cursor <= self._chunks[-1].seq_num

    def snapshot(self) -> bytes:
        """MESSAGES_SNAPSHOT of ``messages``, made once for any number of readers."""
        at = self._preamble_end if self.running else self.position
        if self._snapshot is None or self._snapshot[0] != at:
            self._snapshot = (at, dumps({"type": "MESSAGES_SNAPSHOT", "messages": self.messages}))
        return self._snapshot[1]

    def _fence(self, record: Record) -> None:
        self._settle()
        self.token = fence_token(record) or ""
        self._announce = False
        self._user_events.clear()
        if tokens.is_terminal(self.token):
            return
        if not self._snapshots:
            self.size = 0
        self._fold.reset()
        self._chunks = []
        self._opened = True
        self._in_preamble = True
        self._start = record.seq_num
        self._preamble_end = record.seq_num + 1
        self._data_before = self._newest_data
        self._user_ids.clear()
        self._must_snapshot = False
        self.parts = OpenParts(f"run-{record.seq_num}", f"msg-{record.seq_num}")

    def _settle(self) -> None:
        """Fold the generation that just ended; its chunks stay for readers with a cursor in it."""
        if self._turn_now is not None and self._turn_now.run_id is not None:
            self._past_turns[self._turn_now.run_id] = self._turn_now
        self._turn_now = None
        if self._opened and self.running and self._snapshots:
            self.skipped += len(
                self._fold.process_many((stored.chunk, stored.seq_num, stored.timestamp) for stored in self._chunks)
            )
            self._snapshot = None

    def _data(self, record: Record) -> Stored | None:
        """Take in a data record; what is to be shown of it, if anything."""
        chunk = decode(record.body)
        if chunk is None or not self.running:
            self.skipped += 1
            return None
        self._newest_data = record.seq_num
        self.size += len(record.body)
        stored = Stored(record.seq_num, record.timestamp, chunk)
        self.parts.feed(chunk, record.timestamp)
        if self._in_preamble and self._snapshots and self._preamble(stored):
            self._preamble_end = record.seq_num + 1
            return None
        self._in_preamble = False
        if is_mark(chunk):
            return None
        self._chunks.append(stored)
        return stored

    def _preamble(self, stored: Stored) -> bool:
        """Whether the record still belongs to the user's message, which is put into the messages then."""
        chunk = stored.chunk
        turn = read_turn(chunk)
        if turn is not None:
            self._user_ids.add(turn.message["id"])
            if turn.run_id is not None:
                self.parts.run_id = turn.run_id
                before = self._past_turns.get(turn.run_id)
                if before is not None and before.repeats(turn):
                    # A repeated request: its message is here already. The snapshot has tabs leave the run before it.
                    self._announce = self._must_snapshot = True
                    return True
                self._turn_now = turn
            messages = list(self._fold.messages)
            message = turn.message
            if "createdAt" not in message:
                turn.message["createdAt"] = _iso(stored.timestamp)
            cut = apply_turn(messages, turn, position=self._start, newest_data=self._data_before)
            self._fold.replace_messages(messages)
            self._must_snapshot |= cut or turn.pending or not _is_plain(message)
            self._announce = True
            self._snapshot = None
            return True
        if chunk["type"] not in _TEXT_EVENTS:
            return False
        message_id = chunk.get("messageId")
        if message_id in self._user_ids:
            self._user_events.append(stored)
            return True
        if message_id in self._foreign_ids or chunk.get("role") == "user":
            self._fold_user(stored)
            return True
        return False

    @property
    def _foreign_ids(self) -> set[str]:
        return {stored.chunk["messageId"] for stored in self._user_events if "messageId" in stored.chunk}

    def _fold_user(self, stored: Stored) -> None:
        """A user's message that another implementation wrote, as text events alone."""
        self._user_events.append(stored)
        self.skipped += self._fold.process(stored.chunk, seq=stored.seq_num, timestamp=stored.timestamp) is not None
        self._snapshot = None
        if stored.chunk["type"] == "TEXT_MESSAGE_END":
            self._announce = True

    def _turn(self) -> list[Frame]:
        """What live readers get at the start of a later turn."""
        self._announce = False
        events, self._user_events = self._user_events, []
        snapshot = self.snapshot()
        if self._must_snapshot or not events or len(snapshot) <= TURN_SNAPSHOT_BYTES:
            return [Frame(self._preamble_end, snapshot)]
        return coalesce(events)


def _is_plain(message: Chunk) -> bool:
    parts = message["parts"]
    return (
        message.get("role") == "user"
        and len(parts) == 1
        and isinstance(parts[0], dict)
        and parts[0].get("type") == "text"
    )


def _iso(timestamp: int) -> str:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(timestamp / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
