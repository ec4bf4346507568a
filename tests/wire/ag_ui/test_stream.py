"""Runs and chats as responses: cursors, histories, and what a client has already."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.view.view import View
from resumable_chat.wire.ag_ui.ends import Dialect
from resumable_chat.wire.ag_ui.history import MAX_CHARACTERS, TRUNCATED, snapshots
from resumable_chat.wire.ag_ui.rows import rows_of
from resumable_chat.wire.ag_ui.stream import NO_RUN, AgUiChat, AgUiRun

from ...logs import OURS, answer, body, events_in, finished, message, records, turn, view_of
from .clients import played

THOUGHT = {"type": "REASONING_MESSAGE_CONTENT", "messageId": "th", "delta": "hm"}
START = {"type": "TEXT_MESSAGE_START", "messageId": "a", "role": "assistant"}
RUNNING = [OURS, *turn(message("u"), run_id="r"), {"type": "RUN_STARTED", "runId": "r"}, START, THOUGHT]
DIALECT = Dialect("t", current=True)


def opened(wire: AgUiRun, view: View, cursor: int | None = None) -> list[tuple[int | None, dict[str, Any]]]:
    return events_in(body(wire.opening(view, cursor)))


def listed(events: list[tuple[int | None, dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    return [event["messages"] for _, event in events if event["type"] == "MESSAGES_SNAPSHOT"]


def test_a_run_begins_before_its_first_chunk() -> None:
    """Clients wait for its start, however long the model takes. Its id is the cursor after the user's message."""
    view = view_of(OURS, *turn(message("u"), run_id="r"))
    start = {"type": "RUN_STARTED", "threadId": "t", "runId": "r", "protocolVersion": "1.0"}
    assert opened(AgUiRun(DIALECT), view) == [(5, start)]


def test_a_run_ends_with_its_generation() -> None:
    """Not with the terminal of one run in a loop: clients would take no more."""
    wire = AgUiRun(DIALECT)
    view = view_of(*RUNNING)
    opened(wire, view)
    sent = b""
    for events in view.feed(records(finished("r", "tool_calls"), *answer("a", "r", "x"), "end-0", start=view.next_seq)):
        sent += body(wire.live(view, events))
    kinds = [event["type"] for _, event in events_in(sent)]
    assert kinds.count("RUN_FINISHED") == 1 and kinds[-1] == "RUN_FINISHED" and "RUN_STARTED" not in kinds
    assert events_in(sent)[-1][0] == view.next_seq


def test_a_chat_without_any_run_is_an_empty_history() -> None:
    """As a run, which clients want of every response."""
    assert opened(AgUiChat(DIALECT), View()) == [
        (None, {"type": "RUN_STARTED", "threadId": "t", "runId": NO_RUN, "protocolVersion": "1.0"}),
        (None, {"type": "MESSAGES_SNAPSHOT", "messages": []}),
        (0, {"type": "RUN_FINISHED", "threadId": "t", "runId": NO_RUN, "outcome": {"type": "success"}}),
    ]


def test_rows_in_another_order_are_cleared_first() -> None:
    """Clients keep what they have where it is. Rows in the same order, or none, need nothing."""
    messages = [message("u1"), message("u2"), message("u3")]
    rows = rows_of(messages)
    assert len(snapshots(messages, [])) == len(snapshots(messages, rows[:2])) == 1
    for known in (rows[::-1], rows[1:], [rows[0], rows[2]]):
        cleared, whole = snapshots(messages, known)
        assert cleared["messages"] == [] and whole["messages"] == rows


@pytest.mark.node
def test_published_clients_end_in_the_order_of_the_history() -> None:
    """Whatever rows they had, thoughts of the running answer included."""
    ended = view_of(*RUNNING, {"type": "TEXT_MESSAGE_CONTENT", "messageId": "a", "delta": "so"}, finished("r"), "end-0")
    running = view_of(*RUNNING)
    rows = rows_of(ended.messages)
    stale = [rows[0], {"id": "a:thought-1", "role": "reasoning", "content": "h"}]
    cases = []
    for view, known in ((ended, rows[::-1]), (ended, [rows[2], rows[0]]), (ended, stale), (running, stale)):
        bodies = [
            body(AgUiChat(Dialect("t", current), known=known).opening(view, None)).decode() for current in (False, True)
        ]
        cases.append({"bodies": bodies, "messages": known, "connect": True})
    for number, result in enumerate(played(cases)):
        for version, made in result.items():
            wanted = rows if number < 3 else [rows[0], {**stale[1], "content": "hm"}]
            assert made["messages"] == wanted, (number, version)


def test_of_a_long_history_the_newest_messages_are_sent() -> None:
    """And it says so. A single message is sent, however long it is."""
    long = [message(f"u{number}", "x" * (MAX_CHARACTERS // 3)) for number in range(4)]
    snapshot, note = snapshots(long)
    assert [row["id"] for row in snapshot["messages"]] == ["u2", "u3"]
    assert note == {"type": "CUSTOM", "name": TRUNCATED, "value": {"sent": 2, "of": 4}}
    (alone,) = snapshots([message("u", "x" * (MAX_CHARACTERS + 1))])
    assert len(alone["messages"]) == 1
