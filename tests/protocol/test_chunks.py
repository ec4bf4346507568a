"""Chunks are stored as compact JSON, split when they must be, and read back leniently."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.protocol import chunks
from resumable_chat.protocol.json_text import deeper_than, dumps, stringify
from resumable_chat.protocol.merge import merge_run

from ..values import ANY, nested


def test_a_text_delta_is_stored_without_its_redundant_content() -> None:
    """``content`` repeats the whole text so far in some versions; only the delta is stored."""
    chunk = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "a", "content": "all of it"}
    assert chunks.encode(chunk) == b'{"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"a"}'
    assert chunk["content"] == "all of it"


@pytest.mark.parametrize("value", ["\ud83d", "é\u2028", 2**70, {"a": [None, True, 1.5]}])
def test_what_was_encoded_is_decoded(value: object) -> None:
    """Lone surrogates, which JavaScript writes, survive too; huge integers become doubles."""
    chunk = {"type": "CUSTOM", "value": value}
    assert chunks.decode(chunks.encode(chunk)) == chunk


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'"x"', b"{}", b'{"type":1}', b"\xff", b'{"type":NaN}', b"[" * 99999]
)
def test_what_is_no_chunk_decodes_to_none(body: bytes) -> None:
    """No record of any log can make a reader fail."""
    assert chunks.decode(body) is None


@pytest.mark.parametrize("value", [{1, 2}, object(), {"a": {3}}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    """A source that yields such a value ends its run, not the process."""
    with pytest.raises(TypeError):
        chunks.encode({"type": "CUSTOM", "value": value})


def test_a_large_delta_is_split_and_adds_up() -> None:
    """Each piece fits a record, the pieces join to the delta, and metadata is said once."""
    delta = "äß\U0001f600x" * 300_000
    chunk = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta, "metadata": {"a": 1}}
    bodies = list(chunks.encode_split(chunk))
    pieces = [json.loads(body) for body in bodies]
    assert all(len(body) <= chunks.MAX_CHUNK_BYTES for body in bodies)
    assert "".join(piece["delta"] for piece in pieces) == delta
    assert [("metadata" in piece) for piece in pieces] == [True] + [False] * (len(pieces) - 1)


def test_another_large_chunk_is_refused_with_its_size() -> None:
    """What cannot be split says how large it is and how large it may be."""
    with pytest.raises(chunks.ChunkTooLarge, match=r"CUSTOM chunk of 2,000,0\d\d bytes"):
        list(chunks.encode_split({"type": "CUSTOM", "value": "x" * 2_000_000}))


@pytest.mark.parametrize(
    ("chunk", "levels"), [({"type": "CUSTOM", "name": "x"}, 180), ({"type": "CUSTOM", "name": "resumable.turn"}, 200)]
)
def test_nesting_is_bounded_at_both_ends(chunk: dict[str, object], levels: int) -> None:
    """What can be written can be read, and sent on inside of other values. Our own chunks wrap what others hold."""
    chunk = chunk | {"value": nested(levels - 1)}
    assert chunks.decode(chunks.encode(chunk)) == chunk
    assert orjson.dumps({"messages": [{"parts": [chunk]}]})
    for deeper in (levels, 300, 5000):
        chunk = chunk | {"value": nested(deeper)}
        with pytest.raises(chunks.ChunkTooLarge, match=f"limit of {levels} levels"):
            chunks.encode(chunk)
        assert chunks.decode(stringify(chunk).encode()) is None


def test_halves_of_a_character_meet_when_deltas_merge() -> None:
    """The wire keeps them apart until then, as escapes."""
    halves = [chunks.text_content("m", half) for half in ("\ud83d", "\ude00")]
    stored = [chunks.encode(half) for half in halves]
    assert stored[0].endswith(b'"\\ud83d"}')
    read = [chunk for body in stored if (chunk := chunks.decode(body)) is not None]
    assert chunks.encode(merge_run(read)) == chunks.encode(chunks.text_content("m", "😀"))


@given(ANY.filter(lambda value: not deeper_than(150, value)), st.text())
def test_any_chunk_can_be_stored_and_read(value: object, name: str) -> None:
    """Its value is then the one that JavaScript reads."""
    chunk = chunks.decode(chunks.encode({"type": name, "value": value}))
    assert chunk is not None and stringify(chunk) == stringify({"type": name, "value": value})


@given(st.binary() | st.text().map(str.encode) | ANY.map(dumps))
def test_any_body_is_a_chunk_or_none(body: bytes) -> None:
    """Nothing is raised."""
    chunk = chunks.decode(body)
    assert chunk is None or isinstance(chunk["type"], str)
