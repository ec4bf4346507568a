"""UI chunks as bytes."""

from __future__ import annotations

import json

from resumable_chat.wire.ai_sdk.frames import encode, frames


def test_only_the_last_of_several_chunks_has_the_cursor() -> None:
    """A reader that breaks off before it gets all of them again."""
    assert frames([{"type": "a"}, {"type": "b"}], 7) == b'data: {"type":"a"}\n\nid: 7\ndata: {"type":"b"}\n\n'


def test_keys_that_reach_prototypes_are_left_out_wherever_they_stand() -> None:
    """The client's parser throws at them. Texts that merely name them stay."""
    said = {"delta": "__proto__ and constructor", "constructor": "ok"}
    hostile = {**said, "__proto__": 1, "a": [{"__proto__": {}, "constructor": {"prototype": 1, "b": 2}, "c": 3}]}
    assert json.loads(encode(hostile)) == {**said, "a": [{"c": 3}]}


def test_half_a_character_is_escaped() -> None:
    """The other half may come with the next chunk."""
    assert encode({"delta": "\ud83d"}) == b'{"delta":"\\ud83d"}'
