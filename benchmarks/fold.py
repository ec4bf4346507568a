"""The fold of long chats, against the published StreamProcessor under Node: python -m benchmarks.fold"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from resumable_chat.transcript import StreamProcessor

from .table import show

NODE = Path(__file__).parent.parent / "tests" / "node"
TURNS = (100, 1_000, 2_000)
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


def main() -> None:
    if not (NODE / "node_modules").is_dir():
        sys.exit("Run `make test` first: it installs the published packages.")
    rows = []
    for count in TURNS:
        turns = chat(count)
        mine, baseline = min(ours(turns) for _ in range(3)), theirs(turns)
        rows.append((f"{count:,}", f"{207 * count:,}", f"{mine:.3f}", f"{baseline:.3f}", f"{baseline / mine:.1f}x"))
    show("Fold of a whole chat", ["turns", "chunks", "this fold, s", "StreamProcessor, s", "faster"], rows)
    growth = []
    for count in LONG:
        turns = chat(count, 1)
        mine = min(ours(turns) for _ in range(3))
        growth.append((f"{count:,}", f"{mine:.3f}", f"{mine / count * 1e6:.0f}"))
    show("Fold of many short turns", ["turns", "this fold, s", "a turn, µs"], growth)


if __name__ == "__main__":
    main()
