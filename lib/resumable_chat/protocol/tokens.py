"""Fencing tokens, which say the state of a chat in at most 36 bytes.

A refused append carries the token in force, so one round trip tells a sender everything:

* ``session-<nonce8>[.<key>]``: a generation runs
* ``end-<nonce4>[.<key>]``, ``error-<nonce4>[.<key>]``: it finished or was stopped; it failed, crashed or lost its lease
* ``end-<nonce4>~<key>``: the run with this key was stopped before it started

The key stands for the run's idempotency key. Another implementation of the same log format promises only the
prefixes ``end-`` and ``error-``; every other token that is not empty means that a generation runs.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

PROBE = "probe-that-no-stream-is-fenced-with"
"""A token that is never in force: an append under it is refused, and so tells the token that is."""

Nonce = Callable[[int], str]
"""Makes a random string of the given length out of letters and digits."""

_KEY_CHARACTERS = 12


class State(Enum):
    """What a token says about its stream."""

    UNUSED = "unused"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


class Token(NamedTuple):
    """A token, read."""

    state: State
    key: str | None
    stopped_early: bool
    """The run named by ``key`` was stopped before it started."""

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING


def random_nonce(length: int) -> str:
    """``length`` random hexadecimal characters."""
    return secrets.token_hex(length)[:length]


def key_of(idempotency_key: str) -> str:
    """The 12 characters that stand for an idempotency key in a token."""
    digest = hashlib.sha256(idempotency_key.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest)[:_KEY_CHARACTERS].decode()


def opening(key: str | None, nonce: Nonce = random_nonce) -> str:
    """The token of a new generation."""
    return f"session-{nonce(8)}" + (f".{key}" if key else "")


def terminal(key: str | None, *, failed: bool = False, nonce: Nonce = random_nonce) -> str:
    """The token that ends a generation."""
    return f"{'error' if failed else 'end'}-{nonce(4)}" + (f".{key}" if key else "")


def stopped_early(key: str, nonce: Nonce = random_nonce) -> str:
    """The token that a stop leaves behind for a run that has not started yet."""
    return f"end-{nonce(4)}~{key}"


def parse(token: str) -> Token:
    """Read any token, also one that another implementation wrote."""
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
    """Whether no generation runs under this token."""
    return not parse(token).running
