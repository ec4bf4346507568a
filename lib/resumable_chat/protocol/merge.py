"""Merging adjacent deltas of the same target into one chunk, which leaves the fold unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

Chunk = dict[str, Any]

_TARGETS: Final = {
    "TEXT_MESSAGE_CONTENT": "messageId",
    "TOOL_CALL_ARGS": "toolCallId",
    "REASONING_MESSAGE_CONTENT": "messageId",
}
_KNOWN: Final = frozenset({"type", "messageId", "toolCallId", "delta", "timestamp", "content"})


def can_merge(first: Chunk, second: Chunk) -> bool:
    """Whether both are plain deltas of one target: same type, same id, nothing but a delta in either."""
    target = _TARGETS.get(first["type"])
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
    """One chunk for a run in which every neighbour can merge; it keeps the first one's timestamp."""
    if len(chunks) == 1:
        return chunks[0]
    merged = {key: value for key, value in chunks[0].items() if key != "content"}
    merged["delta"] = "".join([chunk["delta"] for chunk in chunks])
    return merged


def merge_deltas(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The sequence with every run of mergeable neighbours as one chunk."""
    runs: list[list[Chunk]] = []
    for chunk in chunks:
        if runs and can_merge(runs[-1][-1], chunk):
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    return [merge_run(run) for run in runs]
