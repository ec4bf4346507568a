"""Submitted lists of messages: UIMessages with ``parts``, or AG-UI rows with ``content``."""

from __future__ import annotations

from typing import Any, Final

from ..errors import BadRequest
from ..protocol.message_shapes import Rule, fields_flaw, message_flaw, part_flaw

Message = dict[str, Any]

OURS: Final = "resumable"
"""Key in a message's metadata under which the server says how a run ended. Clients cannot set it."""

_ROW: Final = (Rule(str, "toolCallId"), Rule(str, "encryptedValue"), Rule(list, "toolCalls"))

_CALL: Final = (
    Rule(str, "id"),
    Rule(dict, "function", (Rule(str, "name"), Rule(str, "arguments"))),
)


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
    return [_read(message, index) for index, message in enumerate(messages)]


def _read(submitted: Any, index: int) -> Message:
    if type(submitted) is not dict:
        raise BadRequest(400, f"messages[{index}]: must be an object with `id`, `role` and `parts`.")
    message: Message = submitted
    flaw = message_flaw(message)
    if flaw is not None:
        raise BadRequest(400, f"messages[{index}].{flaw}.")
    if message.get("parts") is None:
        message = {**message, "parts": _row_parts(message, f"messages[{index}]")}
    metadata = message.get("metadata")
    if metadata and OURS in metadata:
        message = {**message, "metadata": {key: value for key, value in metadata.items() if key != OURS}}
    return message


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
