"""The published ChatClient, under Node, takes the frames of the S2 wire format as they are meant."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from resumable_chat.view.view import View
from resumable_chat.wire.s2 import PICTURE_SNAPSHOT_BYTES, S2Session

from ..logs import OURS, answer, body, events_in, message, records, run_of, turn, view_of

SESSION = S2Session()
CALL = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": "a"}
INTERRUPTS = [
    {"id": "i1", "reason": "approval_required", "toolCallId": "c", "metadata": {"kind": "approval"}},
    {"id": "i2", "reason": "app:sure", "message": "Sure?"},
]
ASKING = {"type": "RUN_FINISHED", "runId": "r", "outcome": {"type": "interrupt", "interrupts": INTERRUPTS}}
INTERRUPTED = [OURS, *turn(message("u"), run_id="r"), *answer("a", "r", "1", finish=False), CALL, ASKING, "end-0"]
PICTURE = {"type": "image", "source": {"type": "data", "value": "AA==", "mimeType": "image/png"}}
TEXT = {"type": "text", "content": "look"}


def opening(view: View) -> list[dict[str, Any]]:
    return [chunk for _, chunk in events_in(body(SESSION.opening(view, None)))]


def live(view: View, *items: Any) -> list[dict[str, Any]]:
    lists = view.feed(records(*items, start=view.next_seq))
    return [chunk for events in lists if events for _, chunk in events_in(body(SESSION.live(view, events)))]


def tabs(node: Path, *cases: dict[str, Any]) -> list[dict[str, Any]]:
    """What the published client shows in each case."""
    given = "\n".join(map(json.dumps, cases))
    answered = subprocess.run(
        ["node", "tab.mjs"], cwd=node, input=given, capture_output=True, text=True, timeout=90, check=True
    )
    return [json.loads(line) for line in answered.stdout.splitlines()]


@pytest.mark.node
@pytest.mark.timeout(120)
def test_open_interrupts_survive_a_reload_and_end_with_the_next_run(node: Path) -> None:
    """A reloaded tab shows them; after any later run, its continuation or not, no tab does."""
    reloaded = opening(view_of(*INTERRUPTED))
    watching = view_of(*INTERRUPTED)
    later = live(watching, OURS, *turn(message("u2"), "a", run_id="r2"), *answer("a2", "r2", "x"), "end-1")
    shown, cleared, fresh = tabs(
        node, {"chunks": reloaded}, {"chunks": [*reloaded, *later]}, {"chunks": opening(watching)}
    )
    assert shown["interrupts"] == ["i1", "i2"] and not shown["generating"]
    assert shown["messages"][1]["parts"][1]["state"] == "approval-requested"
    assert cleared["interrupts"] == fresh["interrupts"] == []
    assert shown["errors"] == cleared["errors"] == fresh["errors"] == []


@pytest.mark.node
@pytest.mark.timeout(120)
def test_a_picture_in_a_long_chat_is_whole_in_the_tab_that_sent_it(node: Path) -> None:
    """Its text is there once, before the picture or behind it."""
    long = [OURS, *turn(message("long", "x" * PICTURE_SNAPSHOT_BYTES)), *answer("a", "r", "1"), "end-0"]
    cases = []
    for parts in ([TEXT, PICTURE], [PICTURE, TEXT], [PICTURE]):
        said = {"id": "$OWN", "role": "user", "parts": parts}
        sent = live(view_of(*long), OURS, *turn(said, "a", run_id="r2"), *answer("a2", "r2", "x"), "end-1")
        content = [{"type": "text", "content": "look"} if part is TEXT else PICTURE for part in parts]
        cases.append({"send": {"content": content}, "chunks": sent})
    for case, shown in zip(cases, tabs(node, *cases), strict=True):
        (said, answered) = shown["messages"][-2:]
        assert [part["type"] for part in said["parts"]] == [part["type"] for part in case["send"]["content"]]
        assert answered["parts"][0]["content"] == "x" and shown["errors"] == []


@pytest.mark.node
@pytest.mark.timeout(120)
def test_derived_outcomes_are_the_same_live_and_after_a_reload(node: Path) -> None:
    """Of a finished, a blank and an abandoned answer that another implementation wrote."""
    asked = turn(message("u"))[1:]
    cases = []
    for rest in (
        [*answer("a", "r", "1"), "end-0"],
        [*answer("a", "r", " "), "end-0"],
        [*answer("a", "r", "1", finish=False), "session-y"],
        [{"type": "RUN_STARTED", "runId": "r"}, "error-0"],
    ):
        view = View()
        cases.append([{"chunks": live(view, "session-x", *asked, *rest)}, {"chunks": opening(view)}])
    shown = tabs(node, *(case for pair in cases for case in pair))
    for watched, reloaded in zip(shown[::2], shown[1::2], strict=True):
        assert [run_of(said) for said in watched["messages"]] == [run_of(said) for said in reloaded["messages"]]
        assert any(run_of(said) for said in reloaded["messages"])
        assert not watched["generating"] and not reloaded["generating"]
