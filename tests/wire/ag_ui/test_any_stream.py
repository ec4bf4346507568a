"""Whatever a log holds, both strict clients take what is made of it."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.view.view import View
from resumable_chat.wire.ag_ui.ends import Dialect
from resumable_chat.wire.ag_ui.rows import rows_of
from resumable_chat.wire.ag_ui.stream import AgUiChat, AgUiRun

from ...logs import OURS, body, events_in, message, records, turn
from ...transcript.sequences import conversation
from ...values import damaged
from .clients import played
from .verifier import verify

CASES = int(os.environ.get("ORACLE_CASES", "200"))
SEED = int(os.environ.get("ORACLE_SEED", "1"))

Chunk = dict[str, Any]


def answers(seed: int, *, adversarial: bool) -> list[list[Chunk]]:
    """The chunks of one conversation's answers, without the user's texts."""
    chunks, _ = conversation(random.Random(seed), adversarial=adversarial)
    turns: list[list[Chunk]] = []
    for chunk in chunks:
        users = chunk["type"].startswith("TEXT_MESSAGE") and str(chunk.get("messageId")).startswith("u")
        if users and chunk.get("role") == "user":
            turns.append([])
        elif turns and not users:
            turns[-1].append(chunk)
    return [answer for answer in turns if answer]


def log_of(turns: Sequence[Sequence[Chunk | bytes]], *, ends: bool) -> list[Any]:
    """Records of a chat with these answers; without ``ends`` the last of them goes on."""
    log: list[Any] = []
    for index, chunks in enumerate(turns):
        last = index == len(turns) - 1
        said = turn(message(f"user-{index}", f"question {index}"), run_id=f"run-{index}")
        log += [OURS, *said, *chunks, *([] if last and not ends else ["end-0" if index % 3 else "error-0"])]
    return log


def whole(view: View, wire: AgUiRun, rest: Any = ()) -> list[tuple[int | None, Chunk]]:
    sent = body(wire.opening(view, None))
    for events in view.feed(rest):
        sent += body(wire.live(view, events))
    return events_in(sent)


def chunks_of(events: list[tuple[int | None, Chunk]]) -> list[Chunk]:
    return [chunk for _, chunk in events]


def stored(chunk: Any) -> bytes:
    """A record's body, as another implementation may have written it."""
    try:
        return json.dumps(chunk).encode()
    except RecursionError:
        return b"too deep"


STREAMS = st.builds(lambda seed, wild: answers(seed, adversarial=wild), st.integers(0, 10**6), st.booleans())


@settings(max_examples=80, deadline=None)
@given(st.data(), STREAMS, st.booleans())
def test_any_log_is_a_run_that_clients_take(data: st.DataObject, turns: list[list[Chunk]], current: bool) -> None:
    """Read at once or as it is written, and from any cursor on, it is the same run."""
    if not turns:
        return
    turns[-1] = [stored(data.draw(damaged(chunk))) for chunk in turns[-1]]
    log = records(*log_of(turns, ends=True))
    start = max(record.seq_num for record in log if record.headers and record.body.startswith(OURS.encode()))
    cut = data.draw(st.integers(start + 1, len(log)))
    view, dialect = View(), Dialect("t", current)
    for _ in view.feed(log[:cut]):
        pass
    run_id = f"run-{len(turns) - 1}"
    live = whole(view, AgUiRun(dialect, run_id=run_id), log[cut:])
    verify(chunks_of(live), current=current)
    again = whole(view, AgUiRun(dialect))
    verify(chunks_of(again), current=current)
    assert shown(chunks_of(live)) == shown(chunks_of(again))
    cursor = data.draw(st.sampled_from([at for at, _ in live if at is not None]))
    rest = chunks_of(events_in(body(AgUiRun(dialect, run_id=run_id).opening(view, cursor))))
    before = chunks_of(live[: 1 + max(index for index, (at, _) in enumerate(live) if at == cursor)])
    if len(before) < len(live):
        verify([*before, *rest], current=current)
        assert shown([*before, *rest]) == shown(chunks_of(live))


@settings(max_examples=60, deadline=None)
@given(st.data(), STREAMS, st.booleans(), st.booleans())
def test_any_chat_is_a_history_that_clients_take(
    data: st.DataObject, turns: list[list[Chunk]], current: bool, ends: bool
) -> None:
    """With the running answer behind it, and whatever rows the client has."""
    if not turns:
        return
    view = View()
    for _ in view.feed(records(*log_of(turns, ends=ends))):
        pass
    rows = rows_of(view.messages, files=current)
    known = [data.draw(damaged(row)) for row in data.draw(st.permutations(rows))]
    sent = whole(view, AgUiChat(Dialect("t", current), known=[row for row in known if isinstance(row, dict)]))
    verify(chunks_of(sent), current=current, ended=ends)
    listed = [chunk["messages"] for chunk in chunks_of(sent) if chunk["type"] == "MESSAGES_SNAPSHOT"]
    assert any(messages[: len(rows)] == rows for messages in listed)


def shown(chunks: list[Chunk]) -> list[tuple[Any, ...]]:
    """The events, with adjacent deltas of one target joined."""
    joined: list[tuple[Any, ...]] = []
    for chunk in chunks:
        key = (chunk["type"], chunk.get("messageId"), chunk.get("toolCallId"), json.dumps(chunk.get("metadata")))
        if "delta" not in chunk or not isinstance(chunk["delta"], str):
            joined.append((*key, json.dumps(chunk)))
        elif joined and joined[-1][:-1] == key:
            joined[-1] = (*key, joined[-1][-1] + chunk["delta"])
        else:
            joined.append((*key, chunk["delta"]))
    return joined


@pytest.mark.node
@pytest.mark.timeout(300)
def test_published_clients_take_random_chats() -> None:
    """Realistic and damaged ones: no error, and the rows that the fold has of the realistic ones."""
    cases, wanted = [], []
    for index in range(CASES):
        wild = index % 2 == 1
        turns = answers(SEED * 1_000_000 + index, adversarial=wild)
        if not turns:
            continue
        view = View()
        log = records(*log_of(turns, ends=True))
        for _ in view.feed(log):
            pass
        rows = rows_of(view.messages, files=False)
        dialects = [Dialect("t", current) for current in (False, True)]
        runs = [body(AgUiRun(dialect).opening(view, None)).decode() for dialect in dialects]
        chats = [body(AgUiChat(dialect).opening(view, None)).decode() for dialect in dialects]
        cases += [{"bodies": runs}, {"bodies": chats, "connect": True}]
        wanted += [None, None if wild else rows]
    for case, rows, result in zip(cases, wanted, played(cases), strict=True):
        for version, made in result.items():
            assert made["error"] is None or "RUN_ERROR" in case["bodies"][0], (version, made["error"], case)
            assert len(made["ends"]) == 1 and not made["running"], (version, case)
            assert not [line for line in made["warned"] if "[ag-ui]" in line], (version, made["warned"])
            if rows is not None:
                assert made["messages"] == rows, (version, case)
