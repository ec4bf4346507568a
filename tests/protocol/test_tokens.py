"""Tokens say the state of a chat, in at most 36 bytes, also to readers of other implementations."""

from __future__ import annotations

import pytest

from resumable_chat.protocol import tokens
from resumable_chat.protocol.tokens import State, Token

KEY = tokens.key_of("run-1")


def test_every_token_fits_a_fence() -> None:
    """With a key and without, no token is over 36 bytes, and the probe is never in force."""
    made = [
        tokens.opening(KEY),
        tokens.opening(None),
        tokens.terminal(KEY),
        tokens.terminal(KEY, failed=True),
        tokens.stopped_early(KEY),
    ]
    assert all(len(token.encode()) <= 36 for token in [*made, tokens.PROBE])
    assert len(set(made)) == len(made) and tokens.PROBE not in made


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("", Token(State.UNUSED, None, False)),
        (tokens.opening(KEY), Token(State.RUNNING, KEY, False)),
        (tokens.opening(None), Token(State.RUNNING, None, False)),
        (tokens.terminal(KEY), Token(State.ENDED, KEY, False)),
        (tokens.terminal(KEY, failed=True), Token(State.FAILED, KEY, False)),
        (tokens.stopped_early(KEY), Token(State.ENDED, KEY, True)),
        ("end-of-the-world", Token(State.ENDED, None, False)),
        ("error-", Token(State.FAILED, None, False)),
        ("somebody else's token", Token(State.RUNNING, None, False)),
    ],
)
def test_parse_reads_what_was_made_and_what_others_wrote(token: str, expected: Token) -> None:
    """Only the prefixes end- and error- are relied on for tokens of others."""
    assert tokens.parse(token) == expected


def test_keys_are_stable_and_need_no_escaping() -> None:
    """A key depends on its run id alone, whatever characters that has."""
    assert tokens.key_of("run-1") == KEY != tokens.key_of("run-2")
    assert len(tokens.key_of("\ud83d ünï\n")) == 12
    assert not set(".~") & set("".join(tokens.key_of(str(index)) for index in range(200)))
