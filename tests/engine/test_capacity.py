"""How many readers, and how many bytes of whole chats, a process takes on."""

from __future__ import annotations

import logging

import pytest

from resumable_chat.engine import capacity as module
from resumable_chat.engine.capacity import MAX_READERS, Capacity, default_readers
from resumable_chat.errors import Overloaded
from resumable_chat.view.messages_json import MessagesJson


@pytest.mark.parametrize(
    ("limit", "readers"), [(64, 32), (1024, 992), (20, 1), (1_000_000, MAX_READERS), (-1, MAX_READERS)]
)
def test_readers_leave_room_for_other_files(monkeypatch: pytest.MonkeyPatch, limit: int, readers: int) -> None:
    """Each has a connection, and the log and the server need files of their own."""
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    assert default_readers() == readers


def test_chats_count_once_and_only_while_they_wait(caplog: pytest.LogCaptureFixture) -> None:
    """However many readers one waits for; when they are gone there is room again."""
    capacity = Capacity(10, messages_bytes=100)
    capacity.check(1000)
    waiting = MessagesJson(b"x" * 60)
    for _ in range(3):
        capacity.add(waiting)
    capacity.check(40)
    with caplog.at_level(logging.WARNING), pytest.raises(Overloaded):
        capacity.check(41)
    with pytest.raises(Overloaded):
        capacity.check(41)
    assert len(caplog.records) == 1 and "60 bytes" in caplog.text
    del waiting
    capacity.check(1000)


def test_the_default_bound_on_bytes_is_half_a_gibibyte() -> None:
    """A container has one or two."""
    assert module.MAX_MESSAGES_BYTES == 512 * 1024 * 1024
