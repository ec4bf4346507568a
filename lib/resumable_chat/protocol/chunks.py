"""Chunks (AG-UI events as dicts) and the record bodies they are stored as."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from .limits import MAX_BATCH_BYTES

Chunk = dict[str, Any]

MAX_CHUNK_BYTES: Final = MAX_BATCH_BYTES - 64
"""Largest body of one record; the rest of a batch of one is its own overhead."""

DELTAS: Final[Mapping[str, str]] = {
    "TEXT_MESSAGE_CONTENT": "messageId",
    "TOOL_CALL_ARGS": "toolCallId",
    "REASONING_MESSAGE_CONTENT": "messageId",
}
"""Chunk types that add text to something, and the key that names it."""

TERMINALS: Final = frozenset({"RUN_FINISHED", "RUN_ERROR"})


class ChunkTooLarge(ValueError):
    """A chunk that is over the limit of one record and cannot be split."""


def encode(chunk: Chunk) -> bytes:
    """The compact JSON of a chunk, without the redundant ``content`` of a text delta.

    Raises TypeError or ValueError if the chunk holds what JSON cannot.
    """
    if chunk["type"] == "TEXT_MESSAGE_CONTENT" and "content" in chunk:
        chunk = {key: value for key, value in chunk.items() if key != "content"}
    return dumps(chunk)


def dumps(value: Any) -> bytes:
    """Compact JSON of any value; lone surrogates, which UTF-8 cannot carry, are escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def decode(body: bytes) -> Chunk | None:
    """The chunk in a record's body; None if it is no JSON object with a string ``type``."""
    try:
        chunk = orjson.loads(body)
    except ValueError:
        chunk = _decode_leniently(body)
    if type(chunk) is dict and type(chunk.get("type")) is str:
        return chunk
    return None


def _decode_leniently(body: bytes) -> Any:
    """JSON with lone surrogates or huge integers, which JavaScript writes and orjson refuses."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def encode_split(chunk: Chunk) -> Iterator[bytes]:
    """The bodies that a chunk is stored as: one, or several for a delta over the limit of one record.

    Raises ChunkTooLarge for any other chunk over the limit, and what ``encode`` raises.
    """
    body = encode(chunk)
    if len(body) <= MAX_CHUNK_BYTES:
        yield body
        return
    delta = chunk.get("delta")
    if chunk["type"] not in DELTAS or not isinstance(delta, str) or len(delta) < 2:
        raise ChunkTooLarge(f"a {chunk['type']} chunk of {len(body):,} bytes is over the limit of {MAX_CHUNK_BYTES:,}")
    middle = len(delta) // 2
    # Metadata merges into its message, so it needs to be said only once.
    rest = {key: value for key, value in chunk.items() if key != "metadata"}
    yield from encode_split({**chunk, "delta": delta[:middle]})
    yield from encode_split({**rest, "delta": delta[middle:]})


def run_started(run_id: str, thread_id: str | None = None) -> Chunk:
    chunk: Chunk = {"type": "RUN_STARTED", "runId": run_id}
    if thread_id is not None:
        chunk["threadId"] = thread_id
    return chunk


def run_finished(run_id: str, *, reason: str = "stop", thread_id: str | None = None) -> Chunk:
    chunk: Chunk = {"type": "RUN_FINISHED", "runId": run_id, "finishReason": reason}
    if thread_id is not None:
        chunk["threadId"] = thread_id
    return chunk


def run_error(message: str, *, run_id: str | None = None, code: str | None = None) -> Chunk:
    chunk: Chunk = {"type": "RUN_ERROR", "message": message}
    if run_id is not None:
        chunk["runId"] = run_id
    if code is not None:
        chunk["code"] = code
    return chunk


def text_start(message_id: str, role: str = "assistant") -> Chunk:
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role}


def text_content(message_id: str, delta: str) -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def text_end(message_id: str) -> Chunk:
    return {"type": "TEXT_MESSAGE_END", "messageId": message_id}
