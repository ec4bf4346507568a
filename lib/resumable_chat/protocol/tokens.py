"""Fencing tokens, which say the state of a chat in at most 36 bytes.

A refused append carries the token in force, so one round trip tells a sender everything:

* ``session-<nonce8>[.<key>]``: a generation runs
* ``end-<nonce4>[.<key>]``, ``error-<nonce4>[.<key>]``: it finished or was stopped; it failed, crashed or lost its lease
* ``end-<nonce4>~<key>``: the run with this key was stopped before it started

The key stands for the run's idempotency key. Other implementations of the same log format promise only the prefixes
``end-`` and ``error-``. Every other token that is not empty means that a generation runs.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from enum import Enum
from typing import Final, NamedTuple

PROBE: Final = "probe-that-no-stream-is-fenced-with"
"""A token that is never in force. An append under it is refused, and the refusal names the token in force."""

_KEY_CHARACTERS: Final = 12
_KEY: Final = re.compile(rf"[A-Za-z0-9_-]{{{_KEY_CHARACTERS}}}", re.ASCII)
_OURS: Final = re.compile(rf"session-[0-9a-f]{{8}}(\.{_KEY.pattern})?", re.ASCII)


class State(Enum):
    """The state of a stream, as its token says it."""

    UNUSED = "unused"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


class Token(NamedTuple):
    """The parts of a token."""

    state: State
    key: str | None
    stopped_early: bool
    """The run named by ``key`` was stopped before it started."""

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING


def random_nonce(length: int) -> str:
    """Return ``length`` random hexadecimal characters."""
    return secrets.token_hex(length)[:length]


def key_of(idempotency_key: str) -> str:
    """Return the 12 characters that stand for an idempotency key in a token."""
    digest = hashlib.sha256(idempotency_key.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest)[:_KEY_CHARACTERS].decode()


def opening(key: str | None) -> str:
    """Make the token of a new generation."""
    return f"session-{random_nonce(8)}{_suffix(key)}"


def terminal(key: str | None, *, failed: bool = False) -> str:
    """Make the token that ends a generation."""
    return f"{'error' if failed else 'end'}-{random_nonce(4)}{_suffix(key)}"


def _suffix(key: str | None) -> str:
    """Return the key's part of a token. What stands there in a token of others may be too long for ours."""
    return f".{key}" if key and _KEY.fullmatch(key) else ""


def stopped_early(key: str) -> str:
    """Make the token that a stop leaves behind for a run that has not started yet."""
    return f"end-{random_nonce(4)}~{key}"


def parse(token: str) -> Token:
    """Read any token, including those of other implementations."""
    if not token:
        return Token(State.UNUSED, None, False)
    if token.startswith("end-"):
        state = State.ENDED
    elif token.startswith("error-"):
        state = State.FAILED
    else:
        state = State.RUNNING
    _, dot, key = token.partition(".")
    if dot:
        return Token(state, key or None, False)
    _, tilde, key = token.partition("~")
    if tilde and state is State.ENDED:
        return Token(state, key or None, bool(key))
    return Token(state, None, False)


def is_terminal(token: str) -> bool:
    """Return whether no generation runs under this token."""
    return not parse(token).running


def is_ours(token: str) -> bool:
    """Return whether this library opened the generation under this token.

    Only then is a heartbeat due every second. Another implementation's writer may be silent for longer.
    """
    return _OURS.fullmatch(token) is not None
