"""The checker passes a good history, and names each thing that can be wrong with one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from .checker import check

Line = dict[str, Any]


def fence(seq: int, token: str) -> Line:
    return {"op": "record", "seq": seq, "ms": 1000 + seq, "kind": "fence", "token": token}


def data(seq: int, **chunk: Any) -> Line:
    return {"op": "record", "seq": seq, "ms": 1000 + seq, "kind": "data", "chunk": chunk}


def turn(seq: int, run: str) -> Line:
    return data(seq, type="CUSTOM", name="resumable.turn", value={"message": {"id": f"u-{run}"}, "runId": run})


def word(seq: int, text: str) -> Line:
    return data(seq, type="TEXT_MESSAGE_CONTENT", messageId="a", delta=text)


def history() -> list[Line]:
    """Two runs: the first one finishes, the second is stopped after a word."""
    shown = [["u-r0", "user", "ask"], ["a", "assistant", "r0.0 r0.1 "]]
    shown += [["u-r1", "user", "ask"], ["b", "assistant", "r1.0 "]]
    return [
        {"op": "sent", "run": "r0", "status": 0, "at": 0.9},
        {"op": "sent", "run": "r0", "status": 202, "at": 1.0},
        {"op": "sent", "run": "r1", "status": 202, "at": 1.008},
        {"op": "sent", "run": "r2", "status": 409, "at": 1.009},
        {"op": "stopped", "run": "r1", "status": 202, "at": 1.011},
        {"op": "called", "run": "r0", "at": 1.002},
        {"op": "called", "run": "r1", "at": 1.008},
        fence(0, "session-00000000.k"),
        turn(1, "r0"),
        word(2, "r0.0 "),
        word(3, "r0.1 "),
        data(4, type="RUN_FINISHED"),
        fence(5, "end-0000.k"),
        fence(6, "session-00000001.l"),
        turn(7, "r1"),
        {"op": "record", "seq": 8, "ms": 1008, "kind": "heartbeat"},
        {**word(9, "r1.0 "), "chunk": {"type": "TEXT_MESSAGE_CONTENT", "messageId": "b", "delta": "r1.0 "}},
        data(10, type="RUN_FINISHED"),
        fence(11, "end-0001.l"),
        {"op": "view", "who": "tab0", "messages": shown},
        {"op": "view", "who": "tab1", "messages": copy.deepcopy(shown)},
    ]


def test_a_good_history_is_good() -> None:
    """Nothing is wrong with it."""
    assert check(history()) == []


def without(*seqs: int) -> Callable[[list[Line]], None]:
    def change(lines: list[Line]) -> None:
        lines[:] = [line for line in lines if line.get("seq") not in seqs]
        for index, line in enumerate(line for line in lines if line["op"] == "record"):
            line["seq"] = index

    return change


def record(at: int, **fields: Any) -> Callable[[list[Line]], None]:
    def change(lines: list[Line]) -> None:
        next(line for line in lines if line.get("seq") == at).update(fields)

    return change


def added(line: Line) -> Callable[[list[Line]], None]:
    return lambda lines: lines.append(line)


WRONG: list[tuple[str, Callable[[list[Line]], None]]] = [
    ("follows", record(3, seq=33)),
    ("opens a generation inside", without(5)),
    ("stands in no generation", without(6)),
    ("has no end", without(11)),
    ("ends what had ended", without(6, 7, 8, 9, 10)),
    ("without a terminal chunk", without(4)),
    ("its message is not in the log", without(7)),
    ("its message is in the log", record(8, kind="data", chunk=turn(8, "r2")["chunk"])),
    ("asked 2 times", added({"op": "called", "run": "r0", "at": 1.0})),
    ("the answer to r0 in the log", without(2)),
    ("the answer to r0 in the log", record(3, chunk={**word(3, "")["chunk"], "delta": "r0.0 "})),
    ("went on after its stop", record(9, ms=1_012)),
    ("after its stop was acknowledged", added({"op": "called", "run": "r1", "at": 1.5})),
    ("show different messages", added({"op": "view", "who": "tab2", "messages": []})),
    ("is not shown as it is", record(9, chunk={**word(9, "")["chunk"], "messageId": "b", "delta": "r1.0 r1.1 "})),
]


@pytest.mark.parametrize(("says", "change"), WRONG, ids=[f"{index}: {says}" for index, (says, _) in enumerate(WRONG)])
def test_what_is_wrong_is_named(says: str, change: Callable[[list[Line]], None]) -> None:
    """Each promise that a history breaks is a sentence."""
    lines = history()
    change(lines)
    assert any(says in line for line in check(lines)), check(lines)


def test_a_message_shown_twice_is_named() -> None:
    """Also when every reader shows it twice."""
    lines = history()
    for line in lines:
        if line["op"] == "view":
            line["messages"].append(line["messages"][0])
    assert any("twice" in line for line in check(lines))
