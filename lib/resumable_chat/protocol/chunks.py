"""Chunks (AG-UI events as dicts) and the record bodies they are stored as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from .json_text import MAX_DEPTH, MAX_VALUE_DEPTH, NotJson, deeper_than, dumps, loads, may_be_deeper_than
from .limits import MAX_BATCH_BYTES

Chunk = dict[str, Any]

MAX_CHUNK_BYTES: Final = MAX_BATCH_BYTES - 64
"""Largest body of one record, in bytes. The rest of a batch with one record is metered overhead."""

DELTAS: Final[Mapping[str, str]] = {
    "TEXT_MESSAGE_CONTENT": "messageId",
    "TOOL_CALL_ARGS": "toolCallId",
    "REASONING_MESSAGE_CONTENT": "messageId",
}
"""Chunk types that add text to a message or a call, and the key that names it."""

_SHALLOW: Final = 2 * MAX_VALUE_DEPTH
"""Bytes of a body that is too short to be nested too deep."""

TERMINALS: Final = frozenset({"RUN_FINISHED", "RUN_ERROR"})


class ChunkTooLarge(ValueError):
    """A chunk over the limits of one record, in bytes or in levels of nesting, that cannot be split."""


def encode(chunk: Chunk) -> bytes:
    """Return the compact JSON of a chunk, without the redundant ``content`` of a text delta.

    Raises ChunkTooLarge if it is nested too deep to be read back, TypeError or ValueError if it holds what JSON cannot.
    """
    if chunk["type"] == "TEXT_MESSAGE_CONTENT" and "content" in chunk:
        chunk = {key: value for key, value in chunk.items() if key != "content"}
    body = dumps(chunk)
    if len(body) > _SHALLOW and _too_deep(chunk, body):
        raise ChunkTooLarge(f"a {chunk['type']} chunk is nested deeper than the limit of {_max_depth(chunk)} levels")
    return body


def decode(body: bytes) -> Chunk | None:
    """Return the chunk in a record's body; None if that is not a JSON object with a string ``type``, or too deep."""
    shallow = len(body) <= _SHALLOW
    try:
        chunk = orjson.loads(body) if shallow else loads(body)
    except NotJson:
        return None
    except ValueError:
        chunk = _loads_or_none(body)
    if type(chunk) is dict and type(chunk.get("type")) is str and (shallow or not _too_deep(chunk, body)):
        return chunk
    return None


def _loads_or_none(body: bytes) -> Any:
    try:
        return loads(body)
    except NotJson:
        return None


def _too_deep(chunk: Chunk, body: bytes) -> bool:
    return may_be_deeper_than(MAX_VALUE_DEPTH, body) and deeper_than(_max_depth(chunk), chunk)


def _max_depth(chunk: Chunk) -> int:
    """Return how many levels of nesting a chunk may have. Our own wrap messages, which chunks before them made."""
    return MAX_DEPTH if chunk["type"] == "CUSTOM" and _is_ours(chunk.get("name")) else MAX_VALUE_DEPTH


def _is_ours(name: Any) -> bool:
    return isinstance(name, str) and name.startswith("resumable.")


def encode_split(chunk: Chunk) -> Iterator[bytes]:
    """Yield the bodies that a chunk is stored as: one, or several for a delta over the limit of one record.

    Raises ChunkTooLarge for any other chunk over the limit, and whatever ``encode`` raises.
    """
    body = encode(chunk)
    if len(body) <= MAX_CHUNK_BYTES:
        yield body
        return
    delta = chunk.get("delta")
    if chunk["type"] not in DELTAS or not isinstance(delta, str) or len(delta) < 2:
        raise ChunkTooLarge(f"a {chunk['type']} chunk of {len(body):,} bytes is over the limit of {MAX_CHUNK_BYTES:,}")
    middle = len(delta) // 2
    # A piece may begin with half a character; the fold joins the halves. Metadata merges, so one piece carries it.
    rest = {key: value for key, value in chunk.items() if key != "metadata"}
    yield from encode_split({**chunk, "delta": delta[:middle]})
    yield from encode_split({**rest, "delta": delta[middle:]})


def run_started(run_id: str, thread_id: str | None = None) -> Chunk:
    chunk: Chunk = {"type": "RUN_STARTED", "runId": run_id}
    if thread_id is not None:
        chunk["threadId"] = thread_id
    return chunk


def text_start(message_id: str, role: str = "assistant") -> Chunk:
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role}


def text_content(message_id: str, delta: str) -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def text_end(message_id: str) -> Chunk:
    return {"type": "TEXT_MESSAGE_END", "messageId": message_id}
