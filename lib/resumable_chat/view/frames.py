"""Server-sent events: the frames of a replay as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ..protocol.chunks import Chunk
from ..protocol.json_text import dumps
from ..protocol.merge import can_merge, merge_run

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

OPENED: Final = b": open\n\n"
KEEP_ALIVE: Final = b": keep-alive\n\n"


class Frame(NamedTuple):
    """One event: ``id`` is the sequence number after the last record it stands for, ``data`` its compact JSON."""

    id: int
    data: bytes

    def encode(self) -> bytes:
        return b"id: %d\ndata: %s\n\n" % (self.id, self.data)


class Stored(NamedTuple):
    """A data record, read."""

    seq_num: int
    timestamp: int
    chunk: Chunk


def coalesce(stored: Iterable[Stored]) -> list[Frame]:
    """Frames for these chunks, adjacent deltas of one target merged into the frame of the last."""
    frames: list[Frame] = []
    run: list[Stored] = []
    for item in stored:
        if run and not can_merge(run[-1].chunk, item.chunk):
            frames.append(_frame(run))
            run = []
        run.append(item)
    if run:
        frames.append(_frame(run))
    return frames


def _frame(run: Sequence[Stored]) -> Frame:
    return Frame(run[-1].seq_num + 1, dumps(merge_run([item.chunk for item in run])))
