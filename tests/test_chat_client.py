"""The published ChatClient, under Node, holds a conversation with the local server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .servers import local_server


@pytest.mark.node
@pytest.mark.timeout(120)
def test_three_turns_with_reload_second_tab_and_stop(node: Path, tmp_path: Path) -> None:
    """Every tab, the one that sent, reloaded, watched or came late, ends with the same messages."""
    with local_server(tmp_path / "chat.db") as (base, _):
        answer = subprocess.run(
            ["node", "conversation.mjs", base, "tour"], cwd=node, capture_output=True, text=True, timeout=100
        )
        assert answer.returncode == 0, answer.stderr
        result = json.loads(answer.stdout)
    for turn, messages in (("plain", 2), ("reload", 4), ("stop", 6)):
        tabs = result[turn]
        assert all(tab == tabs[0] for tab in tabs), turn
        assert [message["role"] for message in tabs[0]] == ["user", "assistant"] * (messages // 2)
    kinds = [part["type"] for part in result["plain"][0][1]["parts"]]
    assert kinds == ["thinking", "tool-call", "tool-result", "text"]
    whole = result["reload"][0][3]["parts"][-1]["content"]
    assert whole.startswith("You said **Reload while this is written**") and whole.endswith("*nothing gets lost.*")
    assert result["stopStatus"] == 202
    assert not result["stop"][0][5]["parts"][-1]["content"].endswith("*nothing gets lost.*")
    assert result["errors"] == []
    assert result["ids"] == sorted(set(result["ids"])), "a record was delivered twice, or out of order"
