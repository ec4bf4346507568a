"""Chunks are stored as compact JSON, split when they must be, and read back leniently."""

from __future__ import annotations

import json

import pytest

from resumable_chat.protocol import chunks


def test_a_text_delta_is_stored_without_its_redundant_content() -> None:
    """``content`` repeats the whole text so far in some versions; only the delta is stored."""
    chunk = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "a", "content": "all of it"}
    assert chunks.encode(chunk) == b'{"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"a"}'
    assert chunk["content"] == "all of it"


@pytest.mark.parametrize("value", ["\ud83d", "é\u2028", 2**70, {"a": [None, True, 1.5]}])
def test_what_was_encoded_is_decoded(value: object) -> None:
    """Lone surrogates and huge integers, which JavaScript writes, survive too."""
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
