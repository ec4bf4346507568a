"""What a view makes of a log: its messages, its events, and what it says of the newest generation."""

from __future__ import annotations

import pytest

from resumable_chat.protocol.outcomes import Outcome
from resumable_chat.protocol.records import Record
from resumable_chat.view.events import Skipped, TurnBegan, TurnEnded
from resumable_chat.view.view import Phase, View

from ..logs import OURS, answer, fed, finished, kinds, message, records, run_of, texts, turn, user_text, view_of

ONE_TURN = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", "2"), "end-0000"]


def test_a_turn_is_its_beginning_its_chunks_and_its_end() -> None:
    """The events hold everything that a wire format needs, the positions of both fences included."""
    view = View()
    events = fed(view, records(*ONE_TURN))
    assert kinds(events) == [
        "TurnBegan",
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
        "TEXT_MESSAGE_END",
        "TurnEnded",
    ]
    began, ended = events[0], events[-1]
    assert isinstance(began, TurnBegan) and isinstance(ended, TurnEnded)
    assert began.turns[0].message["id"] == "u" and (began.next_seq, began.additive) == (5, True)
    assert ended.ending.outcome is Outcome.FINISHED and ended.ending.finish_reason == "stop"
    assert (ended.generation.start, ended.generation.end, list(ended.generation.run_ids)) == (0, 11, ["r"])
    assert view.runs == {"r": (0, 11)} and view.next_seq == 12


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_slices_do_not_matter(size: int) -> None:
    """However records arrive, the messages, their JSON and the chunks are the same."""
    log = records(
        *ONE_TURN,
        OURS,
        *turn(message("u2", "more"), "a", run_id="r2"),
        *answer("a2", "r2", "x", finish=False),
        b"not json",
        "error-0000",
        "session-foreign",
        *user_text("u3"),
        *answer("a3", "r3", "y"),
        "end-0000",
    )
    whole, sliced = View(), View()
    expected = fed(whole, log)
    events = [event for at in range(0, len(log), size) for event in fed(sliced, log[at : at + size])]
    assert sliced.json.encode().data == whole.json.encode().data
    told = [kind for kind in kinds(events) if kind != "TurnBegan"]
    assert told == [kind for kind in kinds(expected) if kind != "TurnBegan"]


def test_each_list_of_events_ends_where_the_view_stands() -> None:
    """The snapshot for a turn must not hold the answer that the same batch of records brings."""
    view = View()
    for events in view.feed(records(*ONE_TURN)):
        if isinstance(events[-1], TurnBegan):
            assert texts(view) == [("u", "hi")]
    assert texts(view) == [("u", "hi"), ("a", "12")]


def test_a_running_answer_stays_out_of_the_messages() -> None:
    """A reader that comes now gets the messages before it, and then its chunks."""
    view = view_of(*ONE_TURN[:-3])
    assert view.running and view.phase is Phase.ANSWERING
    assert texts(view) == [("u", "hi")]
    assert view.generation is not None and len(view.generation.chunks) == 4


def test_records_that_were_fed_before_are_passed_over() -> None:
    """A follower that begins anew may bring some twice."""
    view = View()
    log = records(*ONE_TURN)
    fed(view, log[:7])
    assert fed(view, log[3:7]) == []
    fed(view, log[5:])
    assert texts(view) == [("u", "hi"), ("a", "12")]


def test_records_before_the_first_fence_are_shown() -> None:
    """The head of a log may be trimmed in the middle of a generation."""
    view = View()
    events = fed(view, records(*answer("a", "r", "1", "2")[2:], "end-0000", start=40))
    assert texts(view) == [("a", "12")] and kinds(events)[0] == "TurnBegan"
    assert view.generation is not None and (view.generation.start, view.generation.token) == (40, "")


def test_records_outside_of_any_generation_are_skipped() -> None:
    """A data record behind a terminal fence belongs to nobody."""
    view = View()
    events = fed(view, records(*ONE_TURN, *answer("x", "x", "?"), *ONE_TURN[:1]))
    assert [event.seq_num for event in events if isinstance(event, Skipped)] == [12, 13, 14, 15, 16]
    assert view.skipped == 5


@pytest.mark.parametrize(
    "odd",
    [
        b"not json",
        b"[]",
        b'{"type": 1}',
        b"[" * 100_000,
        {"type": "TEXT_MESSAGE_END", "messageId": []},
        {"type": "TOOL_CALL_START", "toolCallId": {}, "toolCallName": "f"},
        {"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "x", "role": "user", "parts": [None]}]},
        {"type": "RUN_FINISHED", "runId": "r", "outcome": {"type": "interrupt", "interrupts": [None]}},
        {"type": "RUN_FINISHED", "runId": "r", "outcome": {"type": "interrupt", "interrupts": [{}]}},
        {"type": "CUSTOM", "name": "approval-requested", "value": {"toolCallId": "c"}},
        {"type": "RUN_STARTED", "runId": {}},
    ],
)
def test_an_odd_record_costs_only_itself(odd: bytes | dict[str, object]) -> None:
    """It is reported with its position, readers do not get it, and the chat around it is as it was."""
    view = View()
    events = fed(view, records(*ONE_TURN[:8], odd, *ONE_TURN[8:]))
    assert [event.seq_num for event in events if isinstance(event, Skipped)] == [8]
    assert view.skipped == 1 and texts(view) == [("u", "hi"), ("a", "12")]
    assert view.generation is not None and view.generation.ending is not None
    assert view.generation.ending.outcome is Outcome.FINISHED


def test_a_record_with_foreign_headers_is_skipped() -> None:
    """It is neither data nor a command."""
    view = View()
    log = records(*ONE_TURN)
    log[7] = Record(7, log[7].timestamp, log[7].body, ((b"a", b"b"),))
    assert [event.seq_num for event in fed(view, log) if isinstance(event, Skipped)] == [7]
    assert texts(view) == [("u", "hi"), ("a", "2")]


def test_our_own_marks_are_hidden() -> None:
    """A stop for a later run stands in the middle of this one."""
    mark = {"type": "CUSTOM", "name": "resumable.stop", "value": {"runId": "later"}}
    events = fed(View(), records(*ONE_TURN[:7], mark, *ONE_TURN[7:]))
    assert "CUSTOM" not in kinds(events) and "Skipped" not in kinds(events)


# --- Outcomes -----------------------------------------------------------------------------------------------


def outcome(*items: str | dict[str, object]) -> tuple[Outcome, list[dict[str, object] | None]]:
    """How the newest generation ended, and what each message says of its run."""
    view = view_of(*items)
    assert view.generation is not None and view.generation.ending is not None
    return view.generation.ending.outcome, [run_of(said) for said in view.messages]


def test_an_outcome_in_the_log_is_kept() -> None:
    """A stop cannot be told from a natural end by its terminal."""
    run = {"id": "r", "outcome": "stopped", "startedAt": "s", "endedAt": "e"}
    end = {"type": "TEXT_MESSAGE_END", "messageId": "a", "metadata": {"resumable": {"run": run}}}
    told, runs = outcome(OURS, *turn(message("u")), *answer("a", "r", "1", finish=False), end, finished("r"), "end-1")
    assert told is Outcome.STOPPED and runs == [None, {"id": "r", "outcome": "stopped"}]


def test_an_outcome_of_an_earlier_run_is_not_that_of_the_last() -> None:
    """A generation may have several runs, of which the log tells the outcome of one."""
    run = {"id": "r", "outcome": "stopped"}
    end = {"type": "TEXT_MESSAGE_END", "messageId": "a", "metadata": {"resumable": {"run": run}}}
    first = [OURS, *turn(message("u")), *answer("a", "r", "1", finish=False), end, finished("r")]
    told, runs = outcome(*first, *answer("a2", "r2", "x"), "end-1")
    assert told is Outcome.FINISHED and runs[1] == run
    assert runs[2] is not None and runs[2]["outcome"] == "finished"


@pytest.mark.parametrize(
    ("ending", "fence", "expected"),
    [
        ([finished("r", "length")], "end-x", {"outcome": "finished", "finishReason": "length"}),
        ([{"type": "RUN_ERROR", "runId": "r", "message": "bad"}], "error-x", {"outcome": "failed", "error": "bad"}),
        (
            [{"type": "RUN_ERROR", "message": "gone", "code": "writer_lost"}],
            "error-x",
            {"outcome": "lost", "error": "gone"},
        ),
        (
            [{"type": "RUN_ERROR", "message": "late", "code": "deadline"}],
            "error-x",
            {"outcome": "deadline", "error": "late"},
        ),
        ([], "end-x", {"outcome": "finished"}),
        ([], "error-x", {"outcome": "failed"}),
        ([], "session-x", {"outcome": "lost"}),
    ],
)
def test_an_outcome_that_the_log_lacks_is_derived(
    ending: list[dict[str, object]], fence: str, expected: dict[str, object]
) -> None:
    """Another implementation writes terminals and fences alone; some die without either."""
    view = view_of("session-x", *user_text("u"), *answer("a", "r", "1", finish=False), *ending, fence)
    assert [run_of(said) for said in view.messages] == [None, {"id": "r", **expected}]
    assert view.runs["r"] == (0, view.runs["r"][1])


def test_an_outcome_without_an_answer_is_on_the_question() -> None:
    """An answer that failed at once must not look empty after a reload."""
    view = view_of("session-x", *user_text("u"), {"type": "RUN_STARTED", "runId": "r"}, finished("r"), "end-1")
    assert [run_of(said) for said in view.messages] == [{"id": "r", "outcome": "finished", "finishReason": "stop"}]


def test_an_outcome_on_a_blank_answer_is_on_the_question_too() -> None:
    """Readers remove a message of nothing but white space when its run ends."""
    view = view_of("session-x", *user_text("u"), *answer("a", "r", " \n"), "end-1")
    assert texts(view) == [("u", "hi")]
    assert run_of(view.messages[0]) == {"id": "r", "outcome": "finished", "finishReason": "stop"}


def test_live_readers_get_what_the_log_lacks() -> None:
    """A generation that another writer replaced without a word ends for them, with the position of that fence."""
    view = View()
    log = records("session-x", *user_text("u"), *answer("a", "r", "1", finish=False), "session-y")
    fed(view, log[:-1])
    events = fed(view, log[-1:])
    assert kinds(events) == ["TEXT_MESSAGE_END", "RUN_ERROR", "TurnEnded"]
    ended = events[-1]
    assert isinstance(ended, TurnEnded) and ended.replaced
    assert {event.seq_num for event in events[:-1]} == {log[-1].seq_num}  # type: ignore[union-attr]


def test_without_a_fold_only_a_terminal_is_owed() -> None:
    """In the modes without messages nothing can carry an outcome."""
    view = View(fold=False)
    assert kinds(fed(view, records("session-x", *answer("a", "r", "1"), "end-1")))[-2:] == ["RUN_FINISHED", "TurnEnded"]
    view = View(fold=False)
    events = fed(view, records("session-x", *answer("a", "r", "1", finish=False), "session-y"))
    assert kinds(events)[-2:] == ["RUN_ERROR", "TurnEnded"]


# --- Interrupts ---------------------------------------------------------------------------------------------

ASKING = {"type": "RUN_FINISHED", "runId": "r", "outcome": {"type": "interrupt", "interrupts": [{"id": "i"}]}}
INTERRUPTED = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", finish=False), ASKING, "end-0"]


def test_open_interrupts_are_part_of_the_view() -> None:
    """They wait until a later generation answers or abandons them, and that one knows which run it follows."""
    view = view_of(*INTERRUPTED)
    assert view.interrupt is not None and view.interrupt.chunk == ASKING
    fed(view, records(OURS, start=view.next_seq))
    assert view.interrupt is None
    assert view.generation is not None and view.generation.follows == "r"
    fed(view, records(*turn(message("u2"), "a", run_id="r2"), *answer("a2", "r2", "x"), "end-1", start=view.next_seq))
    assert view.interrupt is None


def test_an_interrupt_of_a_run_that_went_on_is_over() -> None:
    """An agent's loop may start its next run in the same generation."""
    view = view_of(*INTERRUPTED[:-1], *answer("a2", "r2", "x"), "end-0")
    assert view.interrupt is None
