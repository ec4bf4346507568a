"""Server-sent events as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ..protocol.chunks import Chunk
from ..protocol.json_text import dumps
from ..protocol.merge import can_merge, merge_run
from ..view.generation import ChunkRead
from ..view.messages_json import MessagesJson

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

OPENED: Final = b": open\n\n"
KEEP_ALIVE: Final = b": keep-alive\n\n"

MAX_SLICE: Final = 256 * 1024
"""Bytes handed to the server at once: what it buffers for a reader that does not read."""

Piece = bytes | MessagesJson
"""A part of a body. The messages of a chat are one object, shared by every body that they are part of."""


class Frame(NamedTuple):
    """One event with compact JSON: ``id`` is the cursor after the last record it stands for.

    An event without an id belongs to the next one that has one: a reader that breaks off between them gets both again.
    """

    id: int | None
    data: bytes

    def encode(self) -> bytes:
        """Return the event's bytes."""
        prefix = b"" if self.id is None else b"id: %d\n" % self.id
        return b"%bdata: %b\n\n" % (prefix, self.data)


def coalesce(chunks: Iterable[ChunkRead]) -> list[Frame]:
    """Return frames for these chunks, with adjacent deltas of one target merged into the frame of the last."""
    return [Frame(cursor, dumps(chunk)) for cursor, chunk in merged(chunks)]


def merged(chunks: Iterable[ChunkRead]) -> Iterator[tuple[int | None, Chunk]]:
    """Yield these chunks with adjacent deltas of one target merged, each with the cursor after it.

    Of several chunks of one record, only the last has a cursor.
    """
    run: list[ChunkRead] = []
    for read in chunks:
        if run and not can_merge(run[-1].chunk, read.chunk):
            yield _whole(run, read.seq_num)
            run = []
        run.append(read)
    if run:
        yield _whole(run, None)


def _whole(run: Sequence[ChunkRead], following: int | None) -> tuple[int | None, Chunk]:
    seq_num = run[-1].seq_num
    return None if seq_num == following else seq_num + 1, merge_run([read.chunk for read in run])


def slices(piece: Piece) -> Iterator[bytes]:
    """Yield a piece of a body in slices of at most MAX_SLICE bytes."""
    data = piece.data if isinstance(piece, MessagesJson) else piece
    if len(data) <= MAX_SLICE:
        yield data
        return
    for start in range(0, len(data), MAX_SLICE):
        yield data[start : start + MAX_SLICE]
