"""Merging deltas, folding in bulk and folding in two halves all give the same messages."""

from __future__ import annotations

import copy
import json
import random
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.protocol.merge import can_merge, merge_deltas
from resumable_chat.transcript import StreamProcessor

from ..transcript.sequences import conversation

seeds = st.integers(0, 2**32)


def folded(chunks: list[dict[str, Any]]) -> str:
    processor = StreamProcessor()
    for chunk in chunks:
        processor.process(chunk, seq=1, timestamp=0)
    return _without_partial(processor.messages)


def _without_partial(messages: Any) -> str:
    """Without ``partial`` of unfinished structured outputs, the one thing that depends on where deltas were cut."""
    messages = copy.deepcopy(messages)
    for message in messages:
        for part in message["parts"]:
            if part.get("type") == "structured-output" and part.get("status") != "complete":
                part.pop("partial", None)
    return json.dumps(messages, sort_keys=True, default=str)


@settings(max_examples=150, deadline=None)
@given(seeds, st.booleans())
def test_merging_leaves_the_fold_unchanged(seed: int, adversarial: bool) -> None:
    """What the appender and the replay merge reads as if it had not been merged."""
    chunks, _ = conversation(random.Random(seed), adversarial=adversarial)
    merged = merge_deltas(chunks)
    assert folded(merged) == folded(chunks)
    assert not any(can_merge(first, second) for first, second in pairwise(merged))


@settings(max_examples=100, deadline=None)
@given(seeds, st.booleans(), st.floats(0, 1))
def test_bulk_and_halves_equal_one_by_one(seed: int, adversarial: bool, where: float) -> None:
    """``process_many`` equals ``process``, and a copy taken anywhere goes on like the original."""
    chunks, _ = conversation(random.Random(seed), adversarial=adversarial)
    numbered = [(chunk, seq, seq * 1000) for seq, chunk in enumerate(chunks)]
    single = StreamProcessor()
    for chunk, seq, timestamp in numbered:
        single.process(chunk, seq=seq, timestamp=timestamp)
    bulk = StreamProcessor()
    at = int(len(numbered) * where)
    bulk.process_many(copy.deepcopy(numbered[:at]))
    half = bulk.copy()
    bulk.process_many(copy.deepcopy(numbered[at:]))
    half.process_many(copy.deepcopy(numbered[at:]))
    expected = json.dumps(single.messages, default=str)
    assert json.dumps(bulk.messages, default=str) == expected
    assert json.dumps(half.messages, default=str) == expected
