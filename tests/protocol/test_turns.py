"""Turns store what text events cannot carry, and land where the sender meant them to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.protocol.lists import Listing
from resumable_chat.protocol.turns import Turn, apply_turn, edit_of, read_turn

from ..chats import assistant, user


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [message["id"] for message in messages]


def test_a_turn_reads_back_as_it_was_written() -> None:
    """The message with all its parts, where it hangs, what the sender had seen, and its run."""
    message = {"id": "u", "role": "user", "parts": [{"type": "image", "source": {"type": "url", "value": "x"}}]}
    for turn in (Turn(message, "a", 7, "r"), Turn(message, None, None, None, pending=True)):
        assert read_turn(turn.chunk()) == turn


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"message": 1},
        {"message": {"id": 1, "role": "user", "parts": []}},
        {"message": {"id": "u", "parts": []}},
    ],
)
def test_a_foreign_turn_is_not_read(value: Any) -> None:
    """A turn that another program wrote badly is passed over."""
    assert read_turn({"type": "CUSTOM", "name": "resumable.turn", "value": value}) is None


@pytest.mark.parametrize(
    ("turn", "newest", "expected", "cut"),
    [
        (Turn(user("u2"), "a1", 9, None), 8, ["u1", "a1", "u2"], False),
        (Turn(user("new"), "u1", 9, None), 8, ["u1", "new"], True),
        (Turn(user("new"), None, 9, None), 8, ["new"], True),
        (Turn(user("u1", "edited"), None, 9, None), 8, ["u1"], True),
        (Turn(user("new"), "u1", 5, None), 8, ["u1", "a1", "new"], False),
        (Turn(user("u1", "edited"), None, 5, None), 8, ["u1", "a1"], False),
        (Turn(user("new"), "u1", None, None), 8, ["u1", "a1", "new"], False),
        (Turn(user("new"), "gone", 9, None), 8, ["u1", "a1", "new"], False),
        (Turn(user("u1", "again"), None, 9, None, pending=True), 8, ["u1", "a1"], False),
        (Turn(user("new"), "u1", 9, None, pending=True), 8, ["u1", "a1", "new"], False),
        (Turn(user("new"), "u1", 99, None), 8, ["u1", "a1", "new"], False),
    ],
    ids=[
        "appended",
        "hangs earlier",
        "hangs nowhere",
        "edited",
        "behind",
        "edited behind",
        "no cursor",
        "hangs on what is gone",
        "pending known",
        "pending new",
        "impossible cursor",
    ],
)
def test_a_turn_lands_where_it_hangs(turn: Turn, newest: int, expected: list[str], cut: bool) -> None:
    """What followed is cut if the sender had seen everything; a sender that was behind cuts nothing."""
    messages = [user("u1"), assistant("a1", "x")]
    assert apply_turn(messages, turn, position=10, newest_data=newest) is cut
    assert ids(messages) == expected
    if not turn.pending:
        assert turn.message in messages


# --- Whatever a log holds -----------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["u1", "a1", "text", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "role"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_MESSAGE = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["u1", "a1", "new"]) | _JSON,
        "role": st.sampled_from(["user", "tool"]) | _JSON,
        "parts": _JSON,
    }
)
_LIST = st.fixed_dictionaries(
    {
        "first": st.sampled_from(["u1", "new"]) | _JSON,
        "after": st.sampled_from(["u1", "a1", "gone"]) | _JSON,
        "items": st.lists(st.sampled_from(["u1", "a1", "gone"]) | _MESSAGE | _JSON, max_size=4) | _JSON,
    }
)


@settings(deadline=None)
@given(
    message=_MESSAGE | _JSON,
    after=_JSON,
    seen=_JSON,
    run_id=_JSON,
    pending=_JSON,
    listed=_LIST | _JSON,
    chat=st.lists(st.sampled_from([user("u1"), assistant("a1", "x"), {"id": [], "parts": None}, {}]), max_size=4),
    newest=st.integers(-1, 12),
)
def test_any_stored_turn_can_be_applied(
    message: Any, after: Any, seen: Any, run_id: Any, pending: Any, listed: Any, chat: list[Any], newest: int
) -> None:
    """Nothing in a turn makes a reader fail: it is applied, or passed over, the same with an index and without."""
    value = {"message": message, "after": after, "seen": seen, "runId": run_id, "pending": pending, "list": listed}
    turn = read_turn({"type": "CUSTOM", "name": "resumable.turn", "value": value})
    if turn is None:
        return
    assert read_turn(turn.chunk()) == turn
    ids_before = [known.get("id") for known in chat]
    edit = edit_of(chat, turn, position=10, newest_data=newest, is_known=lambda message_id: message_id in ids_before)
    changed = list(chat)
    assert apply_turn(changed, turn, position=10, newest_data=newest) == edit.changed
    assert changed == chat[: edit.keep] + edit.tail
    assert turn.message["id"] in [known.get("id") for known in changed]


class Counted(list[Any]):
    """A list that counts how many of its items are looked at."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        self.looks += len(range(*key.indices(len(self)))) if isinstance(key, slice) else 1
        return super().__getitem__(key)


@pytest.mark.parametrize("listing", [None, Listing("u0", "u499", (assistant("a499", "x"),)), Listing("a499", None)])
def test_a_turn_at_the_end_looks_at_the_end(listing: Listing | None) -> None:
    """A chat of any length costs the same for each turn, if the caller knows the ids."""
    chat = Counted(message for index in range(500) for message in (user(f"u{index}"), assistant(f"a{index}", "x")))
    known = {message["id"] for message in list(chat)}
    turn = Turn(user("new"), "a499", 9, None, listing=listing)
    edit = edit_of(chat, turn, position=10, newest_data=8, is_known=known.__contains__)
    assert (edit.changed, edit.tail[-1]) == (False, turn.message) and chat.looks < 10
