"""A generation's chunks as frames, for clients that fold them as TanStack AI's StreamProcessor does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..view.generation import ChunkRead, Generation
from .sse import Frame, Piece, coalesce


def answer(generation: Generation, cursor: int | None = None) -> list[Frame]:
    """Return the frames of a generation that a reader with this cursor lacks."""
    chunks = generation.chunks
    missing = chunks if cursor is None else [read for read in chunks if read.seq_num >= cursor]
    return frames_of(missing, generation.follows)


def frames_of(chunks: Iterable[ChunkRead], follows: str | None) -> list[Frame]:
    """Return frames for the chunks of a generation, which ``follows`` a run that left interrupts open.

    Tabs drop those interrupts when a descendant of that run has ended, so the new run is made one.
    """
    if follows is not None:
        chunks = [read._replace(chunk=_descendant(read.chunk, follows)) for read in chunks]
    return coalesce(chunks)


def joined(frames: Sequence[Frame]) -> list[Piece]:
    """Return frames as one piece of a body; nothing if there are no frames."""
    return [b"".join([frame.encode() for frame in frames])] if frames else []


def _descendant(chunk: dict[str, Any], parent: str) -> dict[str, Any]:
    if chunk["type"] != "RUN_STARTED" or isinstance(chunk.get("parentRunId"), str) or chunk.get("runId") == parent:
        return chunk
    return {**chunk, "parentRunId": parent}
