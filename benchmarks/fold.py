"""The fold of long chats, against the published StreamProcessor under Node, and the view of our own writer's log.

python -m benchmarks.fold
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from resumable_chat.protocol.chunks import encode
from resumable_chat.protocol.lists import Listing
from resumable_chat.protocol.open_parts import OpenParts
from resumable_chat.protocol.outcomes import Ending, Outcome
from resumable_chat.protocol.records import NewRecord, Record, fence
from resumable_chat.protocol.turns import Turn
from resumable_chat.transcript import StreamProcessor
from resumable_chat.view.view import View
from resumable_chat.wire.s2 import S2Session

from .table import show

NODE = Path(__file__).parent.parent / "tests" / "node"
TURNS = (100, 1_000, 2_000)
VIEWED = (1_000, 4_000, 20_000)
STEP = 500
"""Records that a tail feeds before other tasks get their turn."""

LONG = (1_000, 5_000, 20_000)
DELTAS = 200


def chat(turns: int, deltas: int = DELTAS) -> list[list[dict[str, Any]]]:
    """Return turns of 207 chunks: the user's three, and an answer of 200 words, or of so many deltas."""
    made = []
    for turn in range(turns):
        user, answer, run = f"u{turn}", f"a{turn}", f"r{turn}"
        words: list[dict[str, Any]] = [
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": f"word {n} "} for n in range(deltas)
        ]
        made.append(
            [
                {"type": "TEXT_MESSAGE_START", "messageId": user, "role": "user"},
                {"type": "TEXT_MESSAGE_CONTENT", "messageId": user, "delta": "A question."},
                {"type": "TEXT_MESSAGE_END", "messageId": user},
                {"type": "RUN_STARTED", "runId": run},
                {"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"},
                *words,
                {"type": "TEXT_MESSAGE_END", "messageId": answer},
                {"type": "RUN_FINISHED", "runId": run},
            ]
        )
    return made


def ours(turns: list[list[dict[str, Any]]]) -> float:
    """Return the seconds that this fold takes for the turns, as a reader folds them: one after the other."""
    began = time.perf_counter()
    processor = StreamProcessor()
    seq = 0
    for turn in turns:
        processor.reset()
        processor.process_many((chunk, seq + at, 0) for at, chunk in enumerate(turn))
        seq += len(turn)
    messages = processor.messages
    took = time.perf_counter() - began
    assert len(messages) == 2 * len(turns)
    assert messages[-1]["parts"][0]["content"].endswith(f"word {len(turns[-1]) - 8} ")
    return took


def theirs(turns: list[list[dict[str, Any]]]) -> float:
    """Return the seconds that the published StreamProcessor takes for the turns."""
    given = json.dumps(turns)
    script = (Path(__file__).parent / "fold.mjs").read_text()
    answer = subprocess.run(
        ["node", "--input-type=module", "-e", script], cwd=NODE, input=given, capture_output=True, text=True, check=True
    )
    return float(answer.stdout) / 1000


def our_log(turns: int) -> list[Record]:
    """Return what our writer stores: a turn with its listing, and an answer of six merged records with its outcome."""
    log: list[Record] = []

    def add(record: NewRecord) -> None:
        log.append(Record(len(log), 1_700_000_000_000 + len(log), record.body, record.headers))

    for number in range(turns):
        user, answer, run = f"u{number}", f"a{number}", f"r{number}"
        before = f"a{number - 1}" if number else None
        said = {"id": user, "role": "user", "parts": [{"type": "text", "content": "A question."}]}
        turn = Turn(said, before, len(log), run, listing=Listing("u0", before))
        add(fence(f"session-{number:08x}.abcdefghijkl"))
        parts = OpenParts(run, answer)
        answered = [
            {"type": "RUN_STARTED", "runId": run},
            {"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"},
            *(
                {"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": "some words of it " * 12}
                for _ in range(6)
            ),
        ]
        for chunk in (turn.chunk(), *turn.text_events(), *answered):
            parts.feed(chunk, log[-1].timestamp)
            add(NewRecord(encode(chunk)))
        for chunk in parts.end(Ending(Outcome.FINISHED, finish_reason="stop"), log[-1].timestamp):
            add(NewRecord(encode(chunk)))
        add(fence("end-0000.abcdefghijkl"))
    return log


def view(log: list[Record]) -> tuple[float, float]:
    """Return the CPU seconds that a cold view of a log takes, its snapshot included, and its longest step."""
    made, longest = View(), 0.0
    began = before = time.process_time()
    for start in range(0, len(log), STEP):
        for _ in made.feed(log[start : start + STEP]):
            now = time.process_time()
            before, longest = now, max(longest, now - before)
    for _ in made.json.steps():
        now = time.process_time()
        before, longest = now, max(longest, now - before)
    S2Session().opening(made, None)
    assert len(made.messages) == 2 * len(made.runs) and not made.skipped
    return time.process_time() - began, longest


def show_views() -> None:
    rows = []
    for count in VIEWED:
        log = our_log(count)
        gc.collect()
        gc.freeze()  # The records would be gone by now.
        took, longest = min(view(log) for _ in range(3))
        rows.append(
            (f"{count:,}", f"{len(log):,}", f"{took:.2f}", f"{took / count * 1e6:.0f}", f"{longest * 1000:.0f}")
        )
    show("Cold view of our own log", ["turns", "records", "CPU, s", "a turn, us", "longest step, ms"], rows)


def main() -> None:
    if not (NODE / "node_modules").is_dir():
        sys.exit("Run `make test` first: it installs the published packages.")
    rows = []
    for count in TURNS:
        turns = chat(count)
        mine, baseline = min(ours(turns) for _ in range(3)), theirs(turns)
        rows.append((f"{count:,}", f"{207 * count:,}", f"{mine:.3f}", f"{baseline:.3f}", f"{baseline / mine:.1f}x"))
    show_views()
    show("Fold of a whole chat", ["turns", "chunks", "this fold, s", "StreamProcessor, s", "faster"], rows)
    growth = []
    for count in LONG:
        turns = chat(count, 1)
        mine = min(ours(turns) for _ in range(3))
        growth.append((f"{count:,}", f"{mine:.3f}", f"{mine / count * 1e6:.0f}"))
    show("Fold of many short turns", ["turns", "this fold, s", "a turn, µs"], growth)


if __name__ == "__main__":
    main()
