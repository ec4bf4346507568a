"""Frames as bytes, merged where neighbours allow it, and cut into slices for slow readers."""

from __future__ import annotations

from resumable_chat.view.generation import ChunkRead
from resumable_chat.view.messages_json import MessagesJson
from resumable_chat.wire.sse import MAX_SLICE, Frame, coalesce, slices


def delta(seq_num: int, text: str, message_id: str = "a") -> ChunkRead:
    return ChunkRead(seq_num, 0, {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": text})


def test_a_frame_is_an_event_with_its_id() -> None:
    """A client parses it as server-sent events, and one without an id leaves its cursor alone."""
    assert Frame(7, b'{"a":1}').encode() == b'id: 7\ndata: {"a":1}\n\n'
    assert Frame(None, b"{}").encode() == b"data: {}\n\n"


def test_adjacent_deltas_are_one_frame_with_the_last_id() -> None:
    """A long backlog then takes few events."""
    frames = coalesce([delta(3, "a"), delta(4, "b"), delta(6, "c", "b"), delta(7, "d", "b")])
    assert [frame.id for frame in frames] == [5, 8]
    assert b'"delta":"ab"' in frames[0].data and b'"delta":"cd"' in frames[1].data
    assert coalesce([]) == []


def test_of_several_chunks_of_one_record_the_last_has_the_id() -> None:
    """A reader that breaks off between them gets all of them again."""
    ends = [ChunkRead(9, 0, {"type": kind}) for kind in ("TEXT_MESSAGE_END", "RUN_ERROR")]
    assert [frame.id for frame in coalesce([delta(8, "a"), *ends])] == [9, None, 10]


def test_long_pieces_are_sliced() -> None:
    """What the server buffers for a reader that does not read is one slice, not a chat."""
    data = bytes(range(256)) * 4096
    for piece in (data, MessagesJson(data)):
        parts = list(slices(piece))
        assert b"".join(parts) == data and max(map(len, parts)) == MAX_SLICE == 256 * 1024
    assert list(slices(b"short")) == [b"short"]
