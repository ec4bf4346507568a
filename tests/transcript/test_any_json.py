"""Whatever JSON stands in any place of any chunk, the fold goes on, and its messages can be shown and sent again."""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.protocol.chunks import ChunkTooLarge, decode, encode
from resumable_chat.protocol.json_text import deeper_than, dumps, loads
from resumable_chat.protocol.merge import merge_deltas
from resumable_chat.transcript import StreamProcessor
from resumable_chat.wire.messages import read_messages

from ..values import damaged
from .sequences import conversation

Chunk = dict[str, Any]


@st.composite
def logs(draw: st.DrawFn) -> list[Chunk]:
    """Chunks of a conversation, as they are read from a log; a few have any JSON in some of their places."""
    chunks, _ = conversation(random.Random(draw(st.integers(0, 2**32))), adversarial=draw(st.booleans()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(chunks) - 1))
        chunks[at] = draw(damaged(chunks[at]))
    read = []
    for chunk in chunks:
        try:
            stored = decode(encode(chunk)) if isinstance(chunk, dict) and isinstance(chunk.get("type"), str) else None
        except ChunkTooLarge:
            continue
        if stored is not None:
            read.append(stored)
    return read


def shown(processor: StreamProcessor) -> bytes:
    return dumps(processor.messages)


@settings(max_examples=400, deadline=None)
@given(logs())
def test_a_chunk_is_folded_or_changes_nothing(chunks: list[Chunk]) -> None:
    """A refused chunk leaves the messages as they were, and its reason is that of a shape, not of a bug."""
    processor = StreamProcessor()
    for seq, chunk in enumerate(chunks):
        before = shown(processor)
        refused = processor.process(chunk, seq=seq, timestamp=seq)
        if refused is not None:
            assert refused.seq_num == seq and "must be" in refused.reason, (refused, chunk)
            assert shown(processor) == before, chunk


@settings(max_examples=300, deadline=None)
@given(logs())
def test_what_is_folded_can_be_submitted_again(chunks: list[Chunk]) -> None:
    """No log makes messages that a request cannot carry, or that the next send is refused for."""
    processor = StreamProcessor()
    processor.process_many((chunk, seq, seq) for seq, chunk in enumerate(chunks))
    messages = loads(dumps({"id": "c", "messages": processor.messages}))["messages"]
    assert not deeper_than(200, messages)
    if messages:
        assert [message["id"] for message in read_messages(messages)] == [message["id"] for message in messages]


@settings(max_examples=300, deadline=None)
@given(logs(), st.floats(0, 1))
def test_two_processes_show_the_same(chunks: list[Chunk], where: float) -> None:
    """Folding in two halves, as a copy, and with merged deltas give the same messages."""
    numbered = [(chunk, seq, seq) for seq, chunk in enumerate(chunks)]
    whole, first = StreamProcessor(), StreamProcessor()
    refused = whole.process_many(copy.deepcopy(numbered))
    at = int(len(numbered) * where)
    before = first.process_many(copy.deepcopy(numbered[:at]))
    second = first.copy()
    assert refused == before + second.process_many(copy.deepcopy(numbered[at:]))
    first.process_many(copy.deepcopy(numbered[at:]))
    assert _without_partial(whole) == _without_partial(first) == _without_partial(second)
    merged, single = StreamProcessor(), StreamProcessor()
    merged.process_many((chunk, 0, 0) for chunk in merge_deltas(copy.deepcopy(chunks)))
    single.process_many((chunk, 0, 0) for chunk in copy.deepcopy(chunks))
    assert _without_partial(merged) == _without_partial(single)


def _without_partial(processor: StreamProcessor) -> bytes:
    """Without ``partial`` of unfinished structured outputs, the one thing that depends on where deltas were cut."""
    messages = loads(dumps(processor.messages))
    for message in messages:
        for part in message["parts"]:
            if part.get("type") == "structured-output" and part.get("status") != "complete":
                part.pop("partial", None)
    return dumps(messages)
