"""Submitted lists of messages: UIMessages with ``parts``, or AG-UI rows with ``content``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import BadRequest
from ..protocol.json_text import MAX_DEPTH, deeper_than
from ..protocol.message_shapes import Rule, fields_flaw, message_flaw, part_flaw

Message = dict[str, Any]

MAX_MESSAGE_DEPTH: Final = MAX_DEPTH - 10
"""Levels of nesting in a message. It is stored inside of a record."""

OURS: Final = "resumable"
"""Key in a message's metadata under which the server says how a run ended. Clients cannot set it."""

_TEXT: Final[Rule] = (str, "must be a string")

_ROW: Final[Mapping[str, Rule]] = {"toolCallId": _TEXT, "encryptedValue": _TEXT, "toolCalls": (list, "must be a list")}
_CALL: Final[Mapping[str, Rule]] = {
    "id": _TEXT,
    "function": (dict, "must be an object"),
    "function.name": _TEXT,
    "function.arguments": _TEXT,
}


def read_messages(messages: Any) -> list[Message]:
    """Return the submitted list as messages with ``id``, ``role`` and ``parts``.

    UIMessages are taken as they are. A row's ``content`` becomes its ``parts``, and its other fields stay for the model
    source. What the metadata say in the server's name is left out.

    Raises BadRequest (400), which names the field and says what it must be.
    """
    if not isinstance(messages, list):
        raise BadRequest(400, "messages: must be a list of messages.")
    if not messages:
        raise BadRequest(400, "messages: is empty. Send at least the message to be answered.")
    return [_read(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _read(message: Any, where: str) -> Message:
    if not isinstance(message, dict):
        raise BadRequest(400, f"{where}: must be an object with `id`, `role` and `parts`.")
    is_row = message.get("parts") is None
    flaw = message_flaw({**message, "parts": []} if is_row else message)
    if flaw is None and is_row:
        message = {**message, "parts": _row_parts(message, where)}
        flaw = message_flaw(message)
    if flaw is not None:
        raise BadRequest(400, f"{where}.{flaw}.")
    if deeper_than(MAX_MESSAGE_DEPTH, message):
        raise BadRequest(400, f"{where}: is nested deeper than {MAX_MESSAGE_DEPTH} levels.")
    return _without_ours(message)


def _row_parts(row: Message, where: str) -> list[Any]:
    """Return the parts that an AG-UI row's content stands for; its other fields are checked."""
    flaw = fields_flaw(row, _ROW)
    if flaw is not None:
        raise BadRequest(400, f"{where}.{flaw}.")
    for index, call in enumerate(row.get("toolCalls") or ()):
        flaw = fields_flaw(call, _CALL) if isinstance(call, dict) else "must be an object"
        if flaw is not None:
            raise BadRequest(400, f"{where}.toolCalls[{index}]{'.' if isinstance(call, dict) else ': '}{flaw}.")
    content = row.get("content")
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    if isinstance(content, list):
        return [_row_part(part, f"{where}.content[{index}]") for index, part in enumerate(content)]
    if content is None and row["role"] not in ("user", "system"):
        return []
    if row["role"] in ("tool", "activity"):
        return []
    raise BadRequest(400, f"{where}.content: must be a string or a list, unless the message has `parts`.")


def _row_part(part: Any, where: str) -> Any:
    """Return a part of a row's content as a message's part: AG-UI calls the text of a text part ``text``."""
    flaw = part_flaw(part)
    if flaw is not None:
        raise BadRequest(400, f"{where}{flaw}.")
    if part["type"] == "text" and "content" not in part:
        if not isinstance(part.get("text"), str):
            raise BadRequest(400, f"{where}.text: must be a string.")
        return {"type": "text", "content": part["text"]}
    return part


def _without_ours(message: Message) -> Message:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or OURS not in metadata:
        return message
    return {**message, "metadata": {key: value for key, value in metadata.items() if key != OURS}}
