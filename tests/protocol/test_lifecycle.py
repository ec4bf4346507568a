"""Every generation is well-formed, whatever the source yields and whoever ends it."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.lifecycle import Lifecycle, State
from resumable_chat.protocol.outcomes import Ending, Outcome
from resumable_chat.protocol.source_events import Unusable

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


def test_a_text_has_one_end_which_carries_the_outcome() -> None:
    """The source's own END waits for what comes after it: before the terminal it is the one with the outcome."""
    end = {"type": "TEXT_MESSAGE_END", "messageId": "m"}
    out = stored(run("RUN_STARTED", "r"), start(), text("a"), end, run("RUN_FINISHED", "r"))
    assert [chunk["type"] for chunk in out][-2:] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
    assert out[-2]["metadata"]["resumable"]["run"]["outcome"] == "finished"
    assert [chunk["type"] for chunk in out].count("TEXT_MESSAGE_END") == 1


def test_an_end_with_something_to_say_is_not_held_back() -> None:
    """Its metadata reaches readers as it is, and another message's END keeps its place."""
    said = {"type": "TEXT_MESSAGE_END", "messageId": "m", "metadata": {"mine": 1}}
    assert stored(start(), text("a"), said)[-3] == said
    plain = {"type": "TEXT_MESSAGE_END", "messageId": "m"}
    out = [chunk.get("messageId") for chunk in stored(start(), plain, start("n"), text("b", "n"))]
    assert out[1:6] == ["m", "m", "n", "n", "n"]


def test_runs_and_their_ends_have_a_thread() -> None:
    """Ours, and the source's where it named none; AG-UI asks for it."""
    for given in ([], [run("RUN_STARTED"), run("RUN_FINISHED")]):
        out = [chunk for chunk in stored(*given) if chunk["type"].startswith("RUN_")]
        assert [chunk["threadId"] for chunk in out] == ["thread", "thread"]
    theirs = {"type": "RUN_STARTED", "runId": "r", "threadId": "mine"}
    assert stored(theirs, {"type": "RUN_FINISHED", "runId": "r", "threadId": "mine"})[-1]["threadId"] == "mine"


def test_a_second_terminal_in_a_row_is_dropped() -> None:
    """A run has one; but one that says `tool_calls` may be followed by the terminal that clients wait for."""
    lifecycle = Lifecycle("run", "thread", "msg")
    events = [
        run("RUN_STARTED", "r"),
        {**run("RUN_FINISHED", "r"), "finishReason": "tool_calls"},
        run("RUN_FINISHED", "r"),
    ]
    for event in events:
        list(lifecycle.feed(event, 1))
    for kind in ("RUN_FINISHED", "RUN_ERROR"):
        with pytest.raises(Unusable, match="has ended"):
            list(lifecycle.feed(run(kind, "r"), 1))


def test_reasoning_passes_with_its_starts_and_ends() -> None:
    """Readers that know them get whole blocks, under the ids that the source gave them."""
    kinds = ["REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END"]
    events = [{"type": kind, "messageId": "think", "delta": "x"} for kind in [*kinds, "REASONING_END"]]
    out = stored(*events, start("theirs"), text("a", "theirs"))
    assert [chunk for chunk in out if chunk["type"].startswith("REASONING")] == events


def test_text_without_a_message_id_belongs_to_the_answer() -> None:
    """Also when its id is something that no id can be."""
    for message_id in (None, [], {"a": 1}, True):
        out = stored({"type": "TEXT_MESSAGE_START", "messageId": message_id}, text("a", message_id))  # type: ignore[arg-type]
        assert {chunk["messageId"] for chunk in out if chunk["type"].startswith("TEXT_")} == {"msg"}


def test_what_needs_no_message_opens_none() -> None:
    """A run of nothing but data of its own has no empty bubble."""
    out = stored({"type": "CUSTOM", "name": "mine"}, {"type": "STATE_DELTA", "delta": []}, run("RUN_FINISHED"))
    assert [chunk["type"] for chunk in out] == ["RUN_STARTED", "CUSTOM", "STATE_DELTA", "RUN_FINISHED"]
    shown = stored({"type": "CUSTOM", "name": "structured-output.start", "value": {}})
    assert [chunk["type"] for chunk in shown][:3] == ["RUN_STARTED", "TEXT_MESSAGE_START", "CUSTOM"]


def test_only_the_run_s_own_start_names_its_parent() -> None:
    """A nested run has another."""
    lifecycle = Lifecycle("run", "thread", "msg", parent_run_id="before")
    out = [chunk for event in (text("a"), run("RUN_STARTED", "inner")) for chunk in lifecycle.feed(event, 1)]
    assert [chunk.get("parentRunId") for chunk in out if chunk["type"] == "RUN_STARTED"] == ["before", None]


def test_it_says_how_far_the_answer_has_come() -> None:
    """From nothing to an answer, by way of the message that we open if the source does not."""
    lifecycle = Lifecycle("run", "thread", "msg")
    thought = {"type": "REASONING_MESSAGE_CONTENT", "messageId": "think", "delta": "x"}
    states = [lifecycle.state]
    for event in (run("RUN_STARTED"), thought, start("theirs")):
        list(lifecycle.feed(event, 1))
        states.append(lifecycle.state)
    assert states == [State.UNSTARTED, State.UNANSWERED, State.STOOD_IN, State.ANSWERING]
