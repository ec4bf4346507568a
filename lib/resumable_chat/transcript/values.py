"""Values in chunks and messages, read without trust in their types."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from ..protocol.chunks import Chunk

Message = dict[str, Any]
Part = dict[str, Any]


class _Undefined(Enum):
    """Holds one value that stays itself when the state around it is copied."""

    UNDEFINED = "undefined"


MISSING: Final[Any] = _Undefined.UNDEFINED
"""JavaScript's undefined, where null means something else."""

ID_TYPES: Final = frozenset({str, type(None)})
"""Types of values that can name a message, call, run or step. None stands for a missing name."""


class Unfoldable(ValueError):
    """A chunk that the browser would throw at, or that names things by lists and objects."""


def is_id(value: Any) -> bool:
    """Return whether a value can name a message, call, run or step."""
    return type(value) in ID_TYPES


def record(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, an empty one otherwise."""
    return value if type(value) is dict else {}


def tanstack(value: Any) -> dict[str, Any]:
    """Return TanStack's own object in the metadata of a chunk, row or message, or in the metadata itself."""
    holder = record(value)
    inner = holder.get("metadata")
    return record((inner if type(inner) is dict else holder).get("tanstack"))


def restored(chunk: Chunk) -> Chunk:
    """Return the chunk with the fields that AG-UI's wire form keeps in ``metadata.tanstack``.

    ChatClient does this to every chunk before its StreamProcessor sees it.
    """
    extras = {key: value for key, value in tanstack(chunk).items() if key not in ("usage", "interruptErrors")}
    return {**extras, **chunk} if extras else chunk
