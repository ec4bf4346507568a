"""The messages of a view as JSON: made once, in steps, and within a limit if there is one."""

from __future__ import annotations

import json
from typing import Any

from resumable_chat.view.messages_json import MessagesEncoder

LONG: list[dict[str, Any]] = [{"id": str(at), "text": "x" * 200_000} for at in range(20)]


def test_the_array_is_that_of_the_messages() -> None:
    """Also of none, and of a text with half an emoji."""
    for messages in ([], [{"id": "a"}, {"id": "b", "text": "half \ud83d"}]):
        made = MessagesEncoder(lambda messages=messages: messages).encode()  # type: ignore[misc]
        assert json.loads(made.data) == messages


def test_it_is_made_once_for_all() -> None:
    """Until the messages change."""
    encoder = MessagesEncoder(lambda: LONG)
    first = encoder.encode()
    assert encoder.encode() is first is encoder.made
    encoder.changed()
    assert encoder.made is None and encoder.encode() is not first


def test_long_chats_are_encoded_in_steps() -> None:
    """Other tasks run after each half MiB or so."""
    encoder = MessagesEncoder(lambda: LONG)
    assert 5 <= sum(1 for _ in encoder.steps()) <= 8
    assert encoder.made is not None and len(encoder.made) == 4_000_000 + 20 * len('{"id":"1","text":""},') + 11


def test_a_limit_gives_up_early() -> None:
    """A chat that is too long is not encoded to find that out."""
    asked = []

    def messages() -> Any:
        for said in LONG:
            asked.append(said)
            yield said

    encoder = MessagesEncoder(messages)  # type: ignore[arg-type]
    assert encoder.encode_within(256 * 1024) is None and len(asked) == 2
    exact = len(encoder.encode())
    assert encoder.encode_within(exact) is encoder.made and encoder.encode_within(exact - 1) is None
    assert MessagesEncoder(lambda: LONG).encode_within(exact) is not None
    assert MessagesEncoder(lambda: LONG).encode_within(exact - 1) is None


def test_a_message_that_is_not_json_costs_only_itself() -> None:
    """No chat is unreadable for one message."""
    assert (
        MessagesEncoder(lambda: [{"id": "a"}, {"id": object()}, {"id": "b"}]).encode().data
        == b'[{"id":"a"},{"id":"b"}]'
    )
