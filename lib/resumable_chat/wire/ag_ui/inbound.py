"""Rows that clients submit, as messages: what ``rows`` takes apart is put together again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...errors import BadRequest
from ...transcript.snapshot import read_snapshot
from ...transcript.values import Unfoldable
from ..messages import OURS, read_messages
from .fields import Row
from .rows import MARK

Message = dict[str, Any]

_KINDS: Final[Mapping[str, str]] = {"image": "image", "audio": "audio", "video": "video"}
"""Types of parts, by the first half of a media type. Anything else is a document."""

_FIELDS: Final = ("data", "url", "id")
"""Where an old client's ``binary`` part has its content, best first."""


def read_rows(rows: Any) -> list[Message]:
    """Return the submitted rows as messages with ``parts``.

    The results of client tools that end the list stay rows, as they are what is to be answered. Activities belong to
    the client alone. Raises BadRequest (400), which names the field and says what it must be.
    """
    checked = read_messages(rows)
    body, results = _split(rows)
    try:
        messages = read_snapshot([_cleaned(row) for row in body], (), str)
    except Unfoldable as error:
        raise BadRequest(400, f"messages: {error}.") from error
    return [*_joined(messages), *checked[len(checked) - len(results) :]]


def result_calls(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the calls that a client has the results of, as rows of its own."""
    return {row["toolCallId"] for row in rows if row.get("role") == "tool" and isinstance(row.get("toolCallId"), str)}


def _split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows without activities, and the results that end them."""
    kept = [row for row in rows if row["role"] != "activity"]
    end = len(kept)
    while end and kept[end - 1]["role"] == "tool":
        end -= 1
    return kept[:end], kept[end:]


def _cleaned(row: Row) -> Row:
    """Return a row without what it says in the server's name, and with the parts of old clients as new ones."""
    metadata = row.get("metadata")
    if isinstance(metadata, dict) and OURS in metadata:
        row = {**row, "metadata": {key: value for key, value in metadata.items() if key != OURS}}
    if isinstance(row.get("content"), list):
        row = {**row, "content": [_media(part) for part in row["content"]]}
    return row


def _media(part: Any) -> Any:
    """Return a ``binary`` part as one for its kind of media."""
    if not isinstance(part, dict) or part.get("type") != "binary" or not isinstance(part.get("mimeType"), str):
        return part
    found = next((name for name in _FIELDS if isinstance(part.get(name), str) and part[name]), None)
    if found is None:
        return part
    kind = _KINDS.get(part["mimeType"].partition("/")[0], "document")
    source = {"type": "file" if found == "id" else found, "value": part[found], "mimeType": part["mimeType"]}
    return {"type": kind, "source": source}


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Return the messages, with the rows of one message put together."""
    joined: list[Message] = []
    for message in messages:
        message_id, mark, number = message["id"].rpartition(MARK)
        if mark and number.isdecimal() and joined and joined[-1]["id"] == message_id:
            whole = joined[-1]
            whole["parts"] = whole["parts"] + message["parts"]
            whole |= {"metadata": message["metadata"]} if "metadata" in message else {}
        else:
            joined.append(message)
    return joined
