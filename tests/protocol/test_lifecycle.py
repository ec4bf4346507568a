"""Every generation is well-formed, whatever the source yields and whoever ends it."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.lifecycle import Lifecycle
from resumable_chat.protocol.open_parts import OpenParts
from resumable_chat.protocol.outcomes import Ending, Outcome

Chunk = dict[str, Any]


def stored(*given: Chunk, fail: bool = False) -> list[Chunk]:
    """What is stored for a source that yields these chunks and then ends, or fails."""
    lifecycle = Lifecycle("run", "thread", "msg")
    out = [chunk for item in given for chunk in lifecycle.feed(item, 1)]
    ending = Ending(Outcome.FAILED, error="broken") if fail else Ending(Outcome.FINISHED)
    return out + list(lifecycle.end(ending, 1))


def text(delta: str, message_id: str = "m") -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def start(message_id: str = "m") -> Chunk:
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}


def run(kind: str, run_id: str | None = None) -> Chunk:
    return {"type": kind} if run_id is None else {"type": kind, "runId": run_id}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["RUN_STARTED", "RUN_FINISHED"]),
        (
            [text("a")],
            ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"],
        ),
        (
            [run("RUN_STARTED"), start(), text("a")],
            ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"],
        ),
        (
            [{"type": "REASONING_MESSAGE_CONTENT", "messageId": "think", "delta": "x"}],
            ["RUN_STARTED", "TEXT_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"],
        ),
        (
            [
                run("RUN_STARTED", "a"),
                start(),
                run("RUN_FINISHED", "a"),
                run("RUN_STARTED", "b"),
                text("x"),
                run("RUN_FINISHED", "b"),
            ],
            [
                "RUN_STARTED",
                "TEXT_MESSAGE_START",
                "TEXT_MESSAGE_END",
                "RUN_FINISHED",
                "RUN_STARTED",
                "TEXT_MESSAGE_CONTENT",
                "TEXT_MESSAGE_END",
                "RUN_FINISHED",
            ],
        ),
    ],
    ids=["nothing", "text alone", "without an end", "reasoning first", "agent loop"],
)
def test_a_source_that_ends_is_completed(given: list[Chunk], expected: list[str]) -> None:
    """RUN_STARTED and the assistant's start come first, and exactly one terminal is owed per run."""
    assert [chunk["type"] for chunk in stored(*given)] == expected


def test_a_failure_closes_texts_and_has_a_place() -> None:
    """Open texts end before the RUN_ERROR; without an assistant one is opened, so that consumers agree on its id."""
    assert [chunk["type"] for chunk in stored(start(), text("a"), fail=True)][-2:] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    nothing = stored(fail=True)
    assert [chunk["type"] for chunk in nothing] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_END",
        "RUN_ERROR",
    ]
    assert nothing[1]["messageId"] == "msg"
    error = {"type": "RUN_ERROR", "message": "broken", "error": {"message": "broken"}, "runId": "run"}
    assert nothing[3] == error


def test_a_terminal_names_the_run_that_started() -> None:
    """Clients wait for ever for a terminal with another id."""
    for terminal in (run("RUN_FINISHED"), run("RUN_FINISHED", "other"), run("RUN_ERROR", "other")):
        assert stored(run("RUN_STARTED", "mine"), terminal)[-1]["runId"] == "mine"


def test_the_source_s_own_start_is_renamed_to_the_id_given_out() -> None:
    """The answer keeps one id when reasoning came before the source's own start."""
    thought = {"type": "REASONING_MESSAGE_CONTENT", "messageId": "think", "delta": "x"}
    out = stored(thought, start("theirs"), text("a", "theirs"), {"type": "TEXT_MESSAGE_END", "messageId": "theirs"})
    assert {chunk["messageId"] for chunk in out if chunk["type"].startswith("TEXT_")} == {"msg"}


def test_a_terminal_of_its_own_is_enough() -> None:
    """Nothing is added after the source's own RUN_ERROR or RUN_FINISHED but the end of open texts."""
    for kind in ("RUN_FINISHED", "RUN_ERROR"):
        out = stored(
            run("RUN_STARTED", "r"), start(), {"type": "TEXT_MESSAGE_END", "messageId": "m"}, run(kind, "r"), fail=True
        )
        assert [chunk["type"] for chunk in out][-2:] == ["TEXT_MESSAGE_END", kind]


def test_every_open_run_gets_a_terminal() -> None:
    """Nested runs that were never finished are all closed."""
    parts = OpenParts("run", "msg")
    parts.feed(run("RUN_STARTED", "a"))
    parts.feed(run("RUN_STARTED", "b"))
    assert [chunk["runId"] for chunk in parts.finish()] == ["a", "b"]
