"""Marks are told from every other chunk, and read for whatever a log holds."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.marks import earlier_runs, is_mark, runs_mark, stop_mark, stopped_run
from resumable_chat.protocol.turns import Turn

from ..chats import user


def test_marks_read_back_as_they_were_written() -> None:
    """Each as what it is, and no other."""
    turn = Turn(user("u"), None, None, "r").chunk()
    stop, runs = stop_mark("r"), runs_mark(["a", "b"])
    assert [is_mark(chunk) for chunk in (turn, stop, runs)] == [True, True, True]
    assert [stopped_run(chunk) for chunk in (turn, stop, runs)] == [None, "r", None]
    assert [earlier_runs(chunk) for chunk in (turn, stop, runs)] == [[], [], ["a", "b"]]


@pytest.mark.parametrize("value", [None, [], "r", {"runId": []}, {"keys": {}}, {"keys": [1, None]}])
@pytest.mark.parametrize("name", ["resumable.stop", "resumable.runs", [], None, "other"])
def test_odd_marks_say_nothing(name: Any, value: Any) -> None:
    """They are hidden if they have our name."""
    chunk = {"type": "CUSTOM", "name": name, "value": value}
    assert stopped_run(chunk) is None and earlier_runs(chunk) == []
    assert is_mark(chunk) is (isinstance(name, str) and name.startswith("resumable."))
    assert not is_mark({**chunk, "type": "OTHER"})
