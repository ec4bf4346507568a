"""The frames of the S2 wire format: what a reader gets first, and what it gets live."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.view.view import View
from resumable_chat.wire.s2 import PICTURE_SNAPSHOT_BYTES, TURN_SNAPSHOT_BYTES, S2Generation, S2Session

from ..logs import OURS, answer, body, events_in, fed, finished, message, records, turn, view_of

SESSION = S2Session()
RUNNING = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", "2", finish=False)]
ENDED = [*RUNNING, {"type": "TEXT_MESSAGE_END", "messageId": "a"}, finished("r"), "end-0"]
LONG = message("long", "x" * TURN_SNAPSHOT_BYTES)
LONGEST = message("long", "x" * PICTURE_SNAPSHOT_BYTES)
PICTURE = {"type": "image", "source": {"type": "data", "value": "A" * 900_000, "mimeType": "image/png"}}


def opened(view: View, cursor: int | None = None) -> list[tuple[int | None, dict[str, Any]]]:
    return events_in(body(SESSION.opening(view, cursor)))


def lived(view: View, *items: Any) -> list[tuple[int | None, dict[str, Any]]]:
    sent = b"".join(
        body(SESSION.live(view, events)) for events in view.feed(records(*items, start=view.next_seq)) if events
    )
    return events_in(sent)


def short(events: list[tuple[int | None, dict[str, Any]]]) -> list[tuple[int | None, str]]:
    return [(at, chunk["type"]) for at, chunk in events]


def test_an_unknown_chat_is_an_empty_snapshot() -> None:
    """A page can say at once that there is nothing."""
    assert opened(View()) == [(0, {"type": "MESSAGES_SNAPSHOT", "messages": []})]


def test_a_running_answer_follows_the_snapshot_before_it() -> None:
    """The snapshot has the id after the user's message, the deltas are merged."""
    events = opened(view_of(*RUNNING))
    assert short(events) == [
        (5, "MESSAGES_SNAPSHOT"),
        (6, "RUN_STARTED"),
        (7, "TEXT_MESSAGE_START"),
        (9, "TEXT_MESSAGE_CONTENT"),
    ]
    assert [said["id"] for said in events[0][1]["messages"]] == ["u"] and events[3][1]["delta"] == "12"


def test_a_cursor_in_the_newest_generation_gets_what_came_after_it() -> None:
    """From the end of the user's message to the end of the log; any other cursor gets everything."""
    view = view_of(*ENDED)
    for cursor in range(5, 12):
        rest = [(at, chunk) for at, chunk in opened(view, 5) if at is not None and at > cursor]
        # Deltas merge with those before the cursor, so only what comes after them is the same.
        if cursor not in (7, 8):
            assert opened(view, cursor) == rest, cursor
    for cursor in (None, 0, 4, 13, 99):
        assert short(opened(view, cursor)) == [(12, "MESSAGES_SNAPSHOT")], cursor
    assert opened(view, 12) == []


def test_a_short_chat_is_sent_whole_at_a_later_turn() -> None:
    """That cures what tabs get wrong when they only watch."""
    events = lived(view_of(*ENDED), OURS, *turn(message("u2"), "a", run_id="r2"))
    assert short(events) == [(17, "MESSAGES_SNAPSHOT")]
    assert [said["id"] for said in events[0][1]["messages"]] == ["u", "a", "u2"]


def test_a_long_chat_is_sent_the_turn_alone() -> None:
    """As the text events that every client knows, with the ids of their records."""
    view = view_of(OURS, *turn(LONG), *answer("a", "r", "1"), "end-0")
    events = lived(view, OURS, *turn(message("u2", "why?"), "a", run_id="r2"))
    assert short(events) == [(14, "TEXT_MESSAGE_START"), (15, "TEXT_MESSAGE_CONTENT"), (16, "TEXT_MESSAGE_END")]


def test_a_turn_whose_text_events_are_missing_is_sent_all_the_same() -> None:
    """A message that fills an append is stored without them."""
    view = view_of(OURS, *turn(LONG), *answer("a", "r", "1"), "end-0")
    events = lived(view, OURS, turn(message("u2", "why?"), "a", run_id="r2")[0])
    assert short(events) == [(None, "TEXT_MESSAGE_START"), (None, "TEXT_MESSAGE_CONTENT"), (13, "TEXT_MESSAGE_END")]
    assert events[1][1]["delta"] == "why?"


@pytest.mark.parametrize("text_first", [True, False])
def test_a_picture_in_a_long_chat_is_sent_alone(text_first: bool) -> None:
    """As our own chunk with all parts, and without text where the sending tab would show that twice."""
    view = view_of(OURS, *turn(LONGEST), *answer("a", "r", "1"), "end-0")
    parts = [{"type": "text", "content": "look"}, PICTURE]
    said = {"id": "u2", "role": "user", "parts": parts if text_first else parts[::-1]}
    events = lived(view, OURS, *turn(said, "a", run_id="r2"))
    types = ["CUSTOM", "TEXT_MESSAGE_START", *([] if text_first else ["TEXT_MESSAGE_CONTENT"]), "TEXT_MESSAGE_END"]
    assert [chunk["type"] for _, chunk in events] == types
    assert events[0][1]["value"]["message"]["parts"] == said["parts"] and events[-1][0] == 16


def test_a_picture_comes_as_a_snapshot_while_that_is_small() -> None:
    """A tab that only watches gets it from a snapshot alone, so a chat of a few pictures is sent whole."""
    view = view_of(OURS, *turn(LONG), *answer("a", "r", "1"), "end-0")
    events = lived(view, OURS, *turn({"id": "u2", "role": "user", "parts": [PICTURE]}, "a", run_id="r2"))
    assert [chunk["type"] for _, chunk in events] == ["MESSAGES_SNAPSHOT"]
    assert events[0][1]["messages"][-1]["parts"] == [PICTURE]


def test_pictures_cost_each_reader_little_more_than_themselves() -> None:
    """Of nineteen turns with one of 0.9 MB each, the first four bring the whole chat, and the others themselves."""
    view, sent = View(), 0
    for at in range(19):
        said = {"id": f"u{at}", "role": "user", "parts": [{"type": "text", "content": "look"}, PICTURE]}
        log = records(
            OURS,
            *turn(said, f"a{at - 1}" if at else None),
            *answer(f"a{at}", f"r{at}", "1"),
            "end-0",
            start=view.next_seq,
        )
        for events in view.feed(log):
            sent += sum(map(len, SESSION.live(view, events)))
    assert len(view.messages) == 38 and 19 * 900_000 < sent < 26 * 910_000


def test_an_edit_in_a_long_chat_is_sent_whole() -> None:
    """Nothing else takes messages away."""
    view = view_of(OURS, *turn(LONG), *answer("a", "r", "1"), "end-0")
    events = lived(view, OURS, *turn(message("long", "shorter"), seen=view.next_seq))
    assert [said["id"] for said in events[0][1]["messages"]] == ["long"]


def test_open_interrupts_follow_the_snapshot() -> None:
    """A tab shows them then, and one that breaks off between the two gets them when it comes back."""
    asking = {"type": "RUN_FINISHED", "runId": "r", "outcome": {"type": "interrupt", "interrupts": [{"id": "i"}]}}
    view = view_of(*RUNNING, {"type": "TEXT_MESSAGE_END", "messageId": "a"}, asking, "end-0")
    events = opened(view)
    assert short(events) == [(10, "MESSAGES_SNAPSHOT"), (12, "RUN_FINISHED")] and events[1][1] == asking
    assert asking in [chunk for _, chunk in opened(view, 10)]
    assert opened(view, 12) == []


def test_a_run_after_an_interrupt_descends_from_it() -> None:
    """Tabs that show the interrupt drop it when a descendant of its run has ended; a parent in the log is kept."""
    asking = {"type": "RUN_FINISHED", "runId": "r", "outcome": {"type": "interrupt", "interrupts": [{"id": "i"}]}}
    view = view_of(*RUNNING, asking, "end-0")
    live = lived(view, OURS, *turn(message("u2"), "a"), *answer("a2", "r2", "x", finish=False))
    assert live[1][1] == {"type": "RUN_STARTED", "runId": "r2", "parentRunId": "r"}
    assert opened(view)[1][1] == live[1][1]
    named = {"type": "RUN_STARTED", "runId": "r3", "parentRunId": "other"}
    assert lived(view_of(*RUNNING, asking, "end-0"), OURS, named)[-1][1] == named


def test_one_generation_is_its_chunks_alone() -> None:
    """In the modes without messages: from its start, or from a cursor."""
    view = view_of(OURS, *answer("a", "r", "1"), "end-0", fold=False)
    wire = S2Generation()
    assert [at for at, _ in events_in(body(wire.opening(view, None)))] == [2, 3, 4, 5, 6]
    assert [at for at, _ in events_in(body(wire.opening(view, 5)))] == [6]
    events = fed(View(fold=False), records(OURS, *answer("a", "r", "1"), "end-0"))
    assert [at for at, _ in events_in(body(wire.live(view, events)))] == [2, 3, 4, 5, 6]
