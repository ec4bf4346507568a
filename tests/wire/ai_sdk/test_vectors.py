"""Golden vectors: logs, what a reader gets of them, and the messages that a page loads.

tests/clients/ai_sdk feeds the same bytes to the published packages.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from resumable_chat.wire.ai_sdk.history import ui_messages

from ...logs import view_of
from .client import Reader, chunks_in
from .generations import sent
from .test_stream import plain

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "vectors" / "ai_sdk.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_bytes_and_the_messages_are_as_they_were(case: dict[str, Any]) -> None:
    """A change of either is a change that clients see."""
    view = view_of(*case["log"])
    assert sent(view, **case["options"]).decode() == case["sent"]
    assert list(ui_messages(view.messages)) == case["messages"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_a_client_makes_of_the_bytes_what_a_page_loads(case: dict[str, Any]) -> None:
    """Once the answer has ended, and unless there is none."""
    view, options = view_of(*case["log"]), case["options"]
    last = case["messages"][-1]
    if view.running or last["role"] != "assistant" or "__proto__" in case["sent"]:
        return
    before = None
    if "continues" in options:
        start = max(at for at, item in enumerate(case["log"]) if isinstance(item, str) and item.startswith("session"))
        turn = [item for item in case["log"][start:] if isinstance(item, dict) and item["type"] == "CUSTOM"]
        before = next(iter(ui_messages([turn[0]["value"]["message"]])))
    reader = Reader(before, resumes=bool(options.get("replays"))).read(chunks_in(case["sent"].encode()))
    assert plain(reader.message) == plain(last)
