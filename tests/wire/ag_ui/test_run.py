"""Runs as events, by golden vectors: the events, and the rows that both published clients end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from resumable_chat.view.view import View
from resumable_chat.wire.ag_ui.ends import Dialect
from resumable_chat.wire.ag_ui.rows import rows_of
from resumable_chat.wire.ag_ui.run import RunRewriter
from resumable_chat.wire.ag_ui.stream import AgUiRun

from ...logs import OURS, body, events_in, message, turn, view_of
from .clients import played
from .verifier import verify

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent.parent / "vectors" / "ag_ui.jsonl").read_text().split("\n")
    if line
]


def log_of(vector: dict[str, Any]) -> View:
    fence = "error-0" if vector["chunks"][-1]["type"] == "RUN_ERROR" else "end-0"
    return view_of(OURS, *turn(message("u"), run_id="r"), *vector["chunks"], fence)


def run_of(view: View, *, current: bool) -> list[dict[str, Any]]:
    return [event for _, event in events_in(body(AgUiRun(Dialect("t", current)).opening(view, None)))]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_run_has_the_events_of_its_vector(vector: dict[str, Any]) -> None:
    """Clients of 1.0 get these; those of 0.x the same, but for the first and the last one."""
    view = log_of(vector)
    new, old = run_of(view, current=True), run_of(view, current=False)
    verify(new, current=True)
    verify(old, current=False)
    assert new == vector["events"]
    assert old[1:-1] == new[1:-1] and old[-1] == vector["last"]
    assert rows_of(view.messages) == vector["rows"]


@pytest.mark.node
def test_published_clients_end_with_the_rows_of_the_fold() -> None:
    """Both, for every vector, without an error or a warning."""
    cases = []
    for vector in VECTORS:
        view = log_of(vector)
        bodies = [body(AgUiRun(Dialect("t", current)).opening(view, None)).decode() for current in (False, True)]
        cases.append({"bodies": bodies, "messages": vector["rows"][:1]})
    for vector, result in zip(VECTORS, played(cases), strict=True):
        for version, made in result.items():
            assert made["error"] is None and made["warned"] == [], (version, vector["name"])
            assert made["messages"] == vector["rows"], (version, vector["name"])


def test_results_that_the_client_sent_are_not_sent_back() -> None:
    """It has them as rows of its own, and would show them twice."""
    result = {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "row", "content": "1"}
    assert RunRewriter(Dialect("t"), "r", answered={"c"}).feed(result) == []
    (event,) = RunRewriter(Dialect("t"), "r").feed(result)
    assert event == {**result, "role": "tool"}


def test_a_run_names_the_one_whose_interrupts_it_answers() -> None:
    """That is the parent, unless it is the run itself."""
    assert RunRewriter(Dialect("t"), "r", parent_run_id="p").start()["parentRunId"] == "p"
    assert "parentRunId" not in RunRewriter(Dialect("t"), "r", parent_run_id="r").start()
