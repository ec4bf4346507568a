"""The processor folds chunks in order, is edited in between, and never raises."""

from __future__ import annotations

from typing import Any

from resumable_chat.transcript import StreamProcessor

from .chunks import call, run_finished, start, text


def user(message_id: str) -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": []}


def ids(processor: StreamProcessor) -> list[str]:
    return [message["id"] for message in processor.messages]


def test_edits_go_between_chunks() -> None:
    """What was collected is written first, and what streams goes on."""
    processor = StreamProcessor([user("u1")])
    processor.process_many([(start("a1"), 1, 0), (text("one ", "a1"), 2, 0), (text("two", "a1"), 3, 0)])
    processor.append_message(user("u2"))
    assert processor.insert_message(user("u0"), after=None) and not processor.insert_message(user("x"), after="gone")
    assert ids(processor) == ["u0", "u1", "a1", "u2"]
    processor.process(text(" three", "a1"), seq=4, timestamp=0)
    found = processor.find_message("a1")
    assert found is not None and found["parts"][0]["content"] == "one two three"
    assert processor.replace_message({**user("u1"), "edited": True}) and not processor.replace_message(user("gone"))
    assert processor.cut_after("u1") and not processor.cut_after("u1") and not processor.cut_after("gone")
    assert ids(processor) == ["u0", "u1"] and processor.messages[1]["edited"]
    processor.replace_messages([user("new")])
    assert ids(processor) == ["new"] and processor.cut_after(None) and ids(processor) == []


def test_ids_and_dates_come_from_the_record() -> None:
    """Unless the chunk brings a time of its own that is one."""
    processor = StreamProcessor()
    processor.process(call(), seq=7, timestamp=1000)
    assert processor.messages[0]["id"] == "msg-7"
    assert processor.messages[0]["createdAt"] == "1970-01-01T00:00:01.000Z"
    processor.process(start("named"), seq=8, timestamp=1000)
    for at, own in enumerate((2000, 1e300, -1, "x", None, True, [])):
        processor.process(start(f"a{at}", timestamp=own), seq=8, timestamp=1000)
        assert processor.messages[-1]["createdAt"] == f"1970-01-01T00:00:0{2 if own == 2000 else 1}.000Z"
    processor.process(start("late"), seq=9, timestamp=2**63)
    assert processor.messages[-1]["createdAt"] == "1970-01-01T00:00:00.000Z"


def test_whatever_is_given_is_refused_not_raised() -> None:
    """Each by its own record."""
    processor = StreamProcessor()
    chunks: list[Any] = [{"type": []}, {}, {"type": "TOOL_CALL_START", "toolCallId": {}}, {"type": "NEW"}, start()]
    refused = processor.process_many((chunk, seq, 0) for seq, chunk in enumerate(chunks))
    assert [each.seq_num for each in refused] == [0, 1, 2]
    assert processor.process(5, seq=1, timestamp=0) is not None  # type: ignore[arg-type]
    assert ids(processor) == ["a"]


def test_a_copy_is_independent() -> None:
    """A call without a name has none in a copy, too."""
    processor = StreamProcessor()
    processor.process({"type": "TOOL_CALL_START", "toolCallId": "c"}, seq=1, timestamp=0)
    other = processor.copy()
    other.process(run_finished(), seq=2, timestamp=0)
    assert "name" not in other.messages[0]["parts"][0]
    assert processor.messages[0]["parts"][0]["state"] == "awaiting-input"
    assert other.messages[0]["parts"][0]["state"] == "input-complete"


def test_a_reset_ends_what_was_collected() -> None:
    """Text that comes after it is adopted anew, and so the end of its run settles the message."""
    processor = StreamProcessor()
    processor.process_many([(start(), 1, 0), (text(" "), 2, 0), (text(" "), 3, 0)])
    processor.reset()
    processor.process_many([(text(" "), 4, 0), (run_finished(), 5, 0)])
    assert processor.messages == []


def test_the_end_of_the_stream_settles_the_messages() -> None:
    """As the end of the last run does."""
    processor = StreamProcessor()
    processor.process_many([(start(), 1, 0), (text(" "), 2, 0)])
    processor.finalize()
    assert processor.messages == []
