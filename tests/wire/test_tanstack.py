"""TanStack AI's own wire formats: one run for one response, a chat as JSON, and submitted rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from resumable_chat.errors import BadRequest
from resumable_chat.view.view import View
from resumable_chat.wire.tanstack import LATEST, TanStackChat, TanStackRun, read_rows

from ..logs import OURS, answer, body, events_in, finished, message, records, run_of, turn, view_of

VECTORS = Path(__file__).parent.parent / "vectors" / "tanstack.jsonl"
TURN = turn(message("u"), run_id="r")
RUNNING = [OURS, *TURN, *answer("a", "r", "1", "2", finish=False)]
OUTCOME = {"resumable": {"run": {"id": "r", "outcome": "finished", "finishReason": "stop"}}}
ENDED = [*RUNNING, {"type": "TEXT_MESSAGE_END", "messageId": "a", "metadata": OUTCOME}, finished("r"), "end-0"]
ASKING = {
    "type": "RUN_FINISHED",
    "runId": "r",
    "outcome": {"type": "interrupt", "interrupts": [{"id": "i", "reason": "confirmation"}]},
}


def opened(view: View, cursor: int | None = None) -> list[tuple[int | None, dict[str, Any]]]:
    return events_in(body(TanStackRun().opening(view, cursor)))


def short(events: list[tuple[int | None, dict[str, Any]]]) -> list[tuple[int | None, str]]:
    return [(at, chunk["type"]) for at, chunk in events]


def lived(wire: TanStackRun, view: View, *items: Any) -> list[tuple[int | None, str]]:
    sent = b"".join(
        body(wire.live(view, events)) for events in view.feed(records(*items, start=view.next_seq)) if events
    )
    return short(events_in(sent))


def loaded(view: View, limit: int | None = None, before: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body(TanStackChat(limit, before).opening(view, None)))
    return found


def ids(document: dict[str, Any]) -> list[str]:
    return [said["id"] for said in document["messages"]]


@pytest.mark.parametrize("case", [json.loads(line) for line in VECTORS.read_text().split("\n") if line])
def test_vectors(case: dict[str, Any]) -> None:
    """A log is sent as the bytes in the file, whole or from each cursor that it names."""
    view = view_of(*case["log"])
    for cursor, sent in case["sent"].items():
        assert body(TanStackRun().opening(view, None if cursor == "" else int(cursor))).decode() == sent, cursor


# --- One run ------------------------------------------------------------------------------------------------


def test_a_run_begins_after_the_user_s_message_and_its_deltas_are_merged() -> None:
    """The page has the message already."""
    assert short(opened(view_of(*RUNNING))) == [
        (6, "RUN_STARTED"),
        (7, "TEXT_MESSAGE_START"),
        (9, "TEXT_MESSAGE_CONTENT"),
    ]


def test_every_cursor_gets_the_rest_of_the_run_and_always_a_terminal() -> None:
    """At the end the terminal comes once more, without an id, because nothing comes after it."""
    view = view_of(*ENDED)
    terminal = next(at for at, chunk in opened(view) if chunk["type"] == "RUN_FINISHED")
    assert terminal is not None
    for cursor in range(view.next_seq + 2):
        events = opened(view, cursor)
        assert events[-1][1]["type"] == "RUN_FINISHED"
        assert [at for at, _ in events if at is not None and at <= cursor] == []
        assert (events[-1][0] is None) == (cursor >= terminal), cursor


def test_a_client_that_has_the_terminal_before_the_fence_gets_it_again_at_the_end() -> None:
    """It came back in between, and would take a response without any terminal for a failure."""
    view = view_of(*ENDED[:-1])
    wire = TanStackRun()
    assert wire.opening(view, view.next_seq) == []
    assert lived(wire, view, "end-0") == [(None, "RUN_FINISHED")]


def test_a_client_that_got_a_terminal_in_this_response_gets_no_second_one() -> None:
    """A second RUN_ERROR would be reported twice."""
    view = view_of(*RUNNING)
    wire = TanStackRun()
    wire.opening(view, None)
    failed = {"type": "RUN_ERROR", "runId": "r", "message": "no"}
    assert [kind for _, kind in lived(wire, view, failed, "error-0")].count("RUN_ERROR") == 1


def test_a_dead_writer_s_run_ends_with_a_terminal() -> None:
    """Also when another implementation left none."""
    events = opened(view_of(*RUNNING, "error-0"))
    assert events[-1][1]["type"] == "RUN_ERROR" and events[-1][0] is not None


def test_the_latest_cursor_gets_only_what_comes() -> None:
    """And a terminal if the run has ended."""
    assert opened(view_of(*RUNNING), LATEST) == []
    assert short(opened(view_of(*ENDED), LATEST)) == [(None, "RUN_FINISHED")]


def test_nothing_is_made_of_an_empty_log() -> None:
    """No run, no frames."""
    assert TanStackRun().opening(View(), None) == []


def test_a_run_that_continues_an_interrupted_one_says_so() -> None:
    """Pages drop the interrupts of a run whose descendant has ended."""
    view = view_of(OURS, *TURN, {"type": "RUN_STARTED", "runId": "r"}, ASKING, "end-0", OURS)
    wire = TanStackRun()
    wire.opening(view, None)
    sent = [
        body(wire.live(view, events))
        for events in view.feed(records({"type": "RUN_STARTED", "runId": "s"}, start=view.next_seq))
        if events
    ]
    assert events_in(b"".join(sent))[0][1]["parentRunId"] == "r"


# --- A chat -------------------------------------------------------------------------------------------------


def test_an_unknown_chat_is_empty() -> None:
    """So that a page can begin it."""
    assert loaded(View()) == {"messages": [], "activeRun": None, "interrupts": None, "page": {"truncated": False}}


def test_a_running_chat_has_the_message_that_waits_and_names_the_run() -> None:
    """Without the answer, which the join brings: the page would drop the answer before, if there were no message."""
    document = loaded(view_of(*RUNNING))
    assert ids(document) == ["u"] and document["activeRun"] == {"runId": "r"}


def test_an_ended_chat_has_its_answer_and_how_it_ended() -> None:
    """And no active run."""
    document = loaded(view_of(*ENDED))
    assert ids(document) == ["u", "a"] and document["activeRun"] is None
    assert run_of(document["messages"][1]) == {"id": "r", "outcome": "finished", "finishReason": "stop"}


def test_a_run_without_an_id_can_be_joined_by_the_one_that_it_gets() -> None:
    """The log names none until the run has started."""
    view = view_of(OURS)
    run_id = loaded(view)["activeRun"]["runId"]
    assert view.generation is not None and view.generation.has_run(run_id)
    list(view.feed(records({"type": "RUN_STARTED", "runId": "late"}, start=view.next_seq)))
    assert loaded(view)["activeRun"] == {"runId": "late"} and view.generation.has_run(run_id)


def test_interrupts_wait_until_a_run_goes_on() -> None:
    """While a continuation runs, the page has to join it, and interrupts would keep it from that."""
    interrupted = [OURS, *TURN, {"type": "RUN_STARTED", "runId": "r"}, ASKING, "end-0"]
    document = loaded(view_of(*interrupted))
    assert document["interrupts"] == {"runId": "r", "pending": [{"id": "i", "reason": "confirmation"}]}
    document = loaded(view_of(*interrupted, OURS, {"type": "RUN_STARTED", "runId": "s"}))
    assert document["interrupts"] is None and document["activeRun"] == {"runId": "s"}


def test_an_answer_that_goes_on_after_another_has_a_place_that_the_page_may_drop() -> None:
    """A page that joins drops the last answer that it was given; that must not be a finished one."""
    result = {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "t", "content": "1"}
    goes_on = [*ENDED, OURS, result, {"type": "RUN_STARTED", "runId": "s"}]
    for limit in (None, 1):
        document = loaded(view_of(*goes_on), limit)
        assert document["messages"][-1]["parts"] == [] and document["messages"][-2]["id"] == "a"
    begun = loaded(view_of(*goes_on, {"type": "TEXT_MESSAGE_START", "messageId": "b", "role": "assistant"}))
    assert ids(begun) == ["u", "a", "b"]


def test_pages_follow_each_other_from_the_newest_to_the_first() -> None:
    """Each has the cursor of the one before it, until nothing is left out."""
    items: list[Any] = []
    for at in range(3):
        items += [OURS, *turn(message(f"u{at}"), run_id=f"r{at}"), *answer(f"a{at}", f"r{at}", "x"), "end-0"]
    view = view_of(*items)
    found, before = [], None
    while True:
        document = loaded(view, 4, before)
        found = ids(document) + found
        if not document["page"]["truncated"]:
            break
        before = document["page"]["cursor"]
        assert before == ids(document)[0]
    assert found == ["u0", "a0", "u1", "a1", "u2", "a2"]
    assert ids(loaded(view, None, "u1")) == ["u0", "a0"] and ids(loaded(view, 6)) == found
    assert loaded(view, 6)["page"] == {"truncated": False}


def test_a_page_before_a_message_that_is_gone_is_refused() -> None:
    """Edits may have cut it."""
    with pytest.raises(BadRequest, match="before:") as refused:
        loaded(view_of(*ENDED), 2, "gone")
    assert refused.value.status == 404


# --- Submitted rows -----------------------------------------------------------------------------------------


def test_a_row_s_packed_date_is_its_own() -> None:
    """As the page shows it; the rest of the metadata stays."""
    row = {"id": "u", "role": "user", "content": "hi"}
    at = "2026-11-25T18:46:32.199Z"
    packed = {"tanstack": {"createdAt": at}}
    [plain] = read_rows([{**row, "metadata": packed}])
    assert (
        plain["createdAt"] == at and "metadata" not in plain and plain["parts"] == [{"type": "text", "content": "hi"}]
    )
    [more] = read_rows([{**row, "metadata": {"tanstack": {"createdAt": at, "model": "m"}, "mine": 1}}])
    assert more["metadata"] == {"tanstack": {"model": "m"}, "mine": 1}


@pytest.mark.parametrize("metadata", [None, {}, {"tanstack": None}, {"tanstack": []}, {"tanstack": {"createdAt": []}}])
def test_odd_metadata_gives_no_date(metadata: Any) -> None:
    """And is no error."""
    [read] = read_rows([{"id": "u", "role": "user", "content": "hi", "metadata": metadata}])
    assert "createdAt" not in read
