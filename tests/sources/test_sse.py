"""Server-sent events are decoded as the standard has it, within bounds.

The first examples are those of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.sources.sse import MAX_EVENT_BYTES, Event, EventTooLarge, SseDecoder


def decode(*pieces: bytes, end: bool = False) -> list[tuple[str, str]]:
    decoder = SseDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    events += decoder.end() if end else []
    return [(event.type, event.data.decode()) for event in events]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [("message", "first event"), ("message", "second event"), ("message", " third event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("message", ""), ("message", "\n")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test"), ("message", "test")]),
        (b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", [("add", "73857293"), ("remove", "2153")]),
        (b"event: add\n\ndata: x\n\n", [("message", "x")]),
        (b"retry: 10\nid: 5\nunknown: x\ndata: x\n\n", [("message", "x")]),
        (b"data: a: b: c\n\n", [("message", "a: b: c")]),
        (b"\xef\xbb\xbfdata: x\n\n", [("message", "x")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", []),
        ("data: a\u2028b\u0085c\n\n".encode(), [("message", "a\u2028b\u0085c")]),
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_the_standards_examples(stream: bytes, events: list[tuple[str, str]], newline: bytes) -> None:
    """With each of the three line ends, in one piece and byte by byte."""
    stream = stream.replace(b"\n", newline)
    assert decode(stream) == events
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == events


@given(
    st.lists(
        st.sampled_from([b"data: a\n", b"\n", b"\r", b"\r\n", b"event: e\r", b":c\r\n", b"data", b"\xef\xbb\xbf"])
    ),
    st.data(),
)
def test_where_a_stream_is_cut_makes_no_difference(lines: list[bytes], data: st.DataObject) -> None:
    """Any cut gives the events of the whole."""
    stream = b"".join(lines)
    cut = data.draw(st.integers(0, len(stream)))
    assert decode(stream[:cut], b"", stream[cut:], end=True) == decode(stream, end=True)


def test_the_end_closes_the_last_event() -> None:
    """Unlike in the standard: model servers leave the last blank line out."""
    assert decode(b"data: [DONE]", end=True) == [("message", "[DONE]")]
    assert decode(b"data: x\n", end=True) == [("message", "x")]
    assert decode(b"event: x", end=True) == []


def test_an_error_line_is_an_error_event() -> None:
    """As llama.cpp writes its failures."""
    assert decode(b'error: {"code": 500}\n\n') == [("error", '{"code": 500}')]


def test_lines_that_are_no_fields_are_kept_to_be_quoted() -> None:
    """At most 4 KiB of them, and no comments."""
    decoder = SseDecoder()
    decoder.feed(b": comment\nid: 1\nBad Gateway\n" + b"x\n" * 10_000)
    assert decoder.stray.startswith(b"Bad Gateway\nx\n") and len(decoder.stray) <= 4096 + 2


@pytest.mark.parametrize("piece", [b"x" * 65536, b"data: " + b"x" * 65536 + b"\n"])
def test_an_event_without_end_is_an_error(piece: bytes) -> None:
    """One long line, or data lines without a blank one."""
    decoder = SseDecoder()
    with pytest.raises(EventTooLarge):
        for _ in range(MAX_EVENT_BYTES // 65536 + 1):
            assert decoder.feed(piece) == []


def test_a_large_event_is_read() -> None:
    """Up to the bound, in pieces."""
    decoder = SseDecoder()
    data = b"x" * 1_000_000
    assert decoder.feed(b"data: ") == []
    for _ in range(7):
        assert decoder.feed(data) == []
    assert decoder.feed(b"\n\n") == [Event("message", data * 7)]
