"""A listing names what is stored, and holds what may be new; half of one is none."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.protocol.lists import Listing, index_of, merge, read_listing, replaced, rewrite, same

from ..chats import assistant, user

U1, A1, U2 = user("u1"), assistant("a1", "one"), user("u2")


def test_a_listing_reads_back_as_it_was_written() -> None:
    """With ids and whole messages."""
    for listing in (Listing("u1", None), Listing("u1", "a1", ("u2", A1))):
        assert read_listing(listing.value()) == listing


@pytest.mark.parametrize(
    "change",
    [
        {"first": None},
        {"after": 1},
        {"items": None},
        {"items": [1]},
        {"items": [{**A1, "role": []}]},
        {"items": [{**A1, "role": "cat"}]},
        {"items": [{**A1, "id": 1}]},
        {"items": [{**A1, "parts": {}}]},
    ],
)
def test_a_listing_that_is_half_unreadable_is_not_read(change: dict[str, Any]) -> None:
    """Its unreadable part might be all that keeps a message from being deleted."""
    assert read_listing({**Listing("u1", None, (A1,)).value(), **change}) is None
    assert read_listing("list") is None


def test_a_complete_list_is_exactly_its_items() -> None:
    """In their order, each id once; an id that nobody knows is left out."""
    assert rewrite([U1, A1], ["a1", "gone", U2, "a1", "u1"]) == [A1, U2, U1]


def test_a_partial_list_adds_before_what_follows() -> None:
    """New messages stand before the next known one, or at the end; nothing goes."""
    new = [user(f"n{index}") for index in range(3)]
    assert merge([U1, A1], [new[0], "u1", new[1], "gone", A1, new[2]]) == [new[0], U1, new[1], A1, new[2]]


def test_a_message_that_says_the_same_is_kept() -> None:
    """With its dates and metadata; one that says something else takes its place, but not our metadata."""
    known = {**A1, "createdAt": "2020", "metadata": {"resumable": 1, "theirs": 2}}
    assert replaced(known, {**A1, "createdAt": "2021"}) is known
    assert replaced(known, assistant("a1", "two"))["metadata"] == {"resumable": 1}
    assert replaced(A1, U1) is U1


def test_messages_too_deep_to_compare_are_not_the_same() -> None:
    """They count as changed."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert not same({**A1, "parts": deep}, {**A1, "parts": [deep][:1]})


def test_the_last_message_with_an_id_is_found() -> None:
    """None for an id that nobody has."""
    assert (index_of([U1, A1, U1], "u1"), index_of([U1], None), index_of([{}], None)) == (2, None, 0)
