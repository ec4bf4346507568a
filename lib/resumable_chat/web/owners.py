"""Owners of chats, and the streams that hold them."""

from __future__ import annotations

import json
from base64 import b32encode
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final, Literal

Kind = Literal["app", "jwt", "lambda", "iam", "cognito-identity"]


@dataclass(frozen=True, slots=True)
class Owner:
    """An authenticated caller.

    ``kind`` says who established the identity (``app``: your own code), ``subject`` is unique within ``issuer`` (a
    token's ``iss``, else empty).
    """

    kind: Kind
    subject: str
    issuer: str = ""

    @property
    def key(self) -> str:
        """52 letters and digits that stand for this owner alone (SHA-256) and do not reveal who it is."""
        identity = json.dumps([self.kind, self.issuer, self.subject])
        return b32encode(sha256(identity.encode()).digest()).decode().rstrip("=").lower()


class Public(Enum):
    """The type of ``PUBLIC``."""

    PUBLIC = "public"


PUBLIC: Final = Public.PUBLIC
"""Instead of an owner: every chat is open to everybody who knows its id."""


def owned_stream(owner: Owner | Public, chat_id: str) -> str:
    """Return the stream's name, without the prefix.

    No two pairs of owner and chat share a stream, because no chat id has a slash.
    """
    return chat_id if isinstance(owner, Public) else f"{owner.key}/{chat_id}"
