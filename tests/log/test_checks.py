"""What no log takes, whatever its engine."""

from __future__ import annotations

import pytest

from resumable_chat.errors import LogRequestRefused, RecordTooLarge
from resumable_chat.log.checks import MAX_SEQ_NUM, check_append, check_stream, checked_range
from resumable_chat.protocol.limits import MAX_BATCH_BYTES
from resumable_chat.protocol.records import NewRecord, fence, trim

BAD_NAMES = ["", "\0", "a\0b", ".", "..", "x" * 513, "é" * 257, "half \ud83d", "\udfff"]
GOOD_NAMES = ["a", "x" * 512, "é" * 256, "\U0001f600", "a/b", "/", "...", "%2e", "?#&=", "a b", "\n", "\x7f", "\ufffe"]

BAD_RECORDS = [
    NewRecord(b"\xff", ((b"", b"fence"),)),
    NewRecord(b"short", ((b"", b"trim"),)),
    NewRecord(b"", ((b"", b"trim"),)),
    NewRecord(b"", ((b"", b"rename"),)),
    NewRecord(b"", ((b"", b""),)),
    NewRecord(b"a", ((b"", b"fence"), (b"kind", b"x"))),
    NewRecord(b"a", ((b"kind", b"x"), (b"", b"fence"))),
    NewRecord(b"a", ((b"", b"fence"), (b"", b"fence"))),
]
GOOD_RECORDS = [
    NewRecord(bytes(range(256)), ((bytes(range(256)), bytes(range(256))),)),
    NewRecord(b"", ((b"\xff", b""),)),
    NewRecord(b"", ((b"kind", b"fence"), (b"kind", b"fence"))),
    fence(""),
    fence("t" * 36),
    fence("a\0b"),
    trim(0),
    trim(2**64 - 1),
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_that_no_stream_can_have_is_refused(name: str) -> None:
    """Names are 1 to 512 bytes of UTF-8, without NUL, and no way up a path."""
    with pytest.raises(LogRequestRefused, match=r"[Ss]tream"):
        check_stream(name)


@pytest.mark.parametrize("name", GOOD_NAMES, ids=ascii)
def test_every_other_name_is_taken(name: str) -> None:
    """Nothing else is asked of a name."""
    check_stream(name)


@pytest.mark.parametrize("record", BAD_RECORDS, ids=repr)
def test_a_header_without_a_name_makes_a_whole_command(record: NewRecord) -> None:
    """It is the only header, its value is a known command, and the body fits the command."""
    with pytest.raises(LogRequestRefused):
        check_append("s", [NewRecord(b"before"), record], None, None)


@pytest.mark.parametrize("record", GOOD_RECORDS, ids=repr)
def test_any_bytes_may_be_stored(record: NewRecord) -> None:
    """Bodies, and headers with a name, hold whatever they like."""
    check_append("s", [record], "t" * 36, MAX_SEQ_NUM)


def test_limits_come_first() -> None:
    """A batch that is too large is called that, whatever else is wrong with the call."""
    with pytest.raises(RecordTooLarge):
        check_append("", [NewRecord(b"x" * MAX_BATCH_BYTES)], "\ud800", -1)


@pytest.mark.parametrize(
    ("token", "number"), [("t" * 37, None), ("é" * 19, None), ("\ud800", None), (None, -1), (None, MAX_SEQ_NUM + 1)]
)
def test_a_condition_that_can_never_hold_is_refused(token: str | None, number: int | None) -> None:
    """A token that no fence can set, and a number that no record can get."""
    with pytest.raises(LogRequestRefused):
        check_append("s", [NewRecord(b"a")], token, number)


def test_an_append_of_nothing_is_refused() -> None:
    """A batch has at least one record."""
    with pytest.raises(LogRequestRefused, match="at least one"):
        check_append("s", [], None, None)


def test_ranges_are_brought_within_what_engines_can_number() -> None:
    """Huge cursors lie past every tail; negative ones are refused."""
    assert checked_range(5, 9) == (5, 9)
    assert checked_range(10**40, None) == (MAX_SEQ_NUM, MAX_SEQ_NUM)
    assert checked_range(0, 10**40) == (0, MAX_SEQ_NUM)
    for start, end in ((-1, None), (0, -1)):
        with pytest.raises(LogRequestRefused):
            checked_range(start, end)
