"""Merge adjacent deltas of one target into one chunk. The fold stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from .chunks import DELTAS, Chunk

_KNOWN: Final = frozenset({"type", "messageId", "toolCallId", "delta", "timestamp", "content"})


def can_merge(first: Chunk, second: Chunk) -> bool:
    """Return whether both are plain deltas of one target: the same type and id, and only a delta in either."""
    target = DELTAS.get(first["type"])
    return (
        target is not None
        and first["type"] == second["type"]
        and isinstance(first.get(target), str)
        and first[target] == second.get(target)
        and isinstance(first.get("delta"), str)
        and isinstance(second.get("delta"), str)
        and first.keys() <= _KNOWN
        and second.keys() <= _KNOWN
    )


def merge_run(chunks: Sequence[Chunk]) -> Chunk:
    """Return one chunk for a run of mergeable neighbours. It keeps the timestamp of the first."""
    if len(chunks) == 1:
        return chunks[0]
    merged = {key: value for key, value in chunks[0].items() if key != "content"}
    merged["delta"] = "".join([chunk["delta"] for chunk in chunks])
    return merged


def merge_deltas(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Return the sequence with every run of mergeable neighbours as one chunk."""
    runs: list[list[Chunk]] = []
    for chunk in chunks:
        if runs and can_merge(runs[-1][-1], chunk):
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    return [merge_run(run) for run in runs]
