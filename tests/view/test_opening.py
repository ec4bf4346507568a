"""The user's messages at the beginning of a generation: where they go, and what readers are told of them."""

from __future__ import annotations

from typing import Any

from resumable_chat.view.events import TurnBegan
from resumable_chat.view.view import View

from ..logs import OURS, answer, fed, finished, message, records, run_of, texts, turn, user_text, view_of

FIRST = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1"), "end-0"]


def began(view: View, *items: Any) -> list[TurnBegan]:
    events = fed(view, records(*items, start=view.next_seq))
    return [event for event in events if isinstance(event, TurnBegan)]


def test_a_turn_that_only_adds_is_additive() -> None:
    """Clients can then be sent the turn alone."""
    view = view_of(*FIRST)
    (turn_began,) = began(view, OURS, *turn(message("u2", "more"), "a", seen=view.next_seq, run_id="r2"))
    assert turn_began.additive and not turn_began.repeated
    assert [said.message["id"] for said in turn_began.turns] == ["u2"]
    assert [read.chunk["type"][13:] for read in turn_began.turns[0].texts] == ["START", "CONTENT", "END"]
    assert texts(view) == [("u", "hi"), ("a", "1"), ("u2", "more")]


def test_a_turn_that_another_tab_overtook_adds_too() -> None:
    """Its sender had not seen the newest answer, so nothing is cut."""
    view = view_of(*FIRST)
    (turn_began,) = began(view, OURS, *turn(message("u2"), "u", seen=4))
    assert turn_began.additive and [said for said, _ in texts(view)] == ["u", "a", "u2"]


def test_a_turn_that_cuts_or_edits_needs_all_messages() -> None:
    """So does one that is not a user's."""
    for said, after in (
        (message("u", "edited"), None),
        (message("new"), None),
        ({**message("s"), "role": "system"}, "a"),
    ):
        view = view_of(*FIRST)
        (turn_began,) = began(view, OURS, *turn(said, after, seen=view.next_seq))
        assert not turn_began.additive, said
        assert texts(view)[-1][0] == said["id"]


def test_messages_that_a_failed_send_left_behind_come_along() -> None:
    """They are told in one event, in order."""
    view = view_of(*FIRST)
    pending = turn(message("u2"), "a", run_id="r2", pending=True)
    (turn_began,) = began(view, OURS, *pending, *turn(message("u3"), "u2", run_id="r2"))
    assert turn_began.additive and [said.message["id"] for said in turn_began.turns] == ["u2", "u3"]


def test_a_repeated_request_changes_nothing_and_is_told() -> None:
    """Tabs need a snapshot to leave the run before it."""
    view = view_of(*FIRST)
    (turn_began,) = began(view, OURS, *turn(message("u"), run_id="r"))
    assert turn_began.repeated and not turn_began.additive and turn_began.turns == ()
    assert texts(view) == [("u", "hi"), ("a", "1")]


def test_a_foreign_question_is_told_when_it_is_whole() -> None:
    """It comes as text events alone, perhaps one by one."""
    view = View()
    start, content, end = user_text("u", "why?")
    assert began(view, "session-x", start) == [] and began(view, content) == []
    (turn_began,) = began(view, end)
    assert turn_began.turns[0].record is None and turn_began.turns[0].message["id"] == "u"
    assert texts(view) == [("u", "why?")]


def test_a_turn_that_cannot_be_read_is_left_out() -> None:
    """Its text events still are the user's message."""
    stored, *events = turn(message("u"))
    stored["value"]["message"]["parts"] = {}
    view = view_of(OURS, stored, *events, *answer("a", "r", "1"), "end-0")
    assert texts(view) == [("u", "hi"), ("a", "1")]


def test_a_turn_without_a_date_gets_that_of_its_record() -> None:
    """Two processes then show the same one."""
    view = view_of(*FIRST)
    assert view.messages[0]["createdAt"] == "2023-11-14T22:13:21.000Z"


def test_a_message_that_is_sent_again_leaves_its_old_outcome_behind() -> None:
    """Clients keep the metadata of a message that comes without any, so it comes with none in it."""
    failed = [OURS, *turn(message("u"), run_id="r"), {"type": "RUN_STARTED", "runId": "r"}, "error-0"]
    view = view_of(*failed)
    assert run_of(view.messages[0]) is None and run_of(view.messages[1]) is not None
    view = view_of(OURS, *turn(message("u"), run_id="r"), {"type": "RUN_STARTED", "runId": "r"}, finished("r"), "end-0")
    assert run_of(view.messages[0]) is not None
    began(view, OURS, *turn(message("u"), run_id="r2"))
    assert view.messages[0]["metadata"] == {}
