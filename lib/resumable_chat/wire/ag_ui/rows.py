"""Messages as AG-UI rows: one for each stretch of text and calls, one for each thought, one for each tool's result.

The rows of a message have ids made of its own. So a history names its rows as the events of the live run did, and rows
that a client sends back can be put together again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...protocol.json_text import join_surrogates
from .fields import Row, has_failed, text, with_metadata

Message = Mapping[str, Any]

MARK: Final = ":row-"
"""Between a message's id and the number of its second, third … row."""

_THOUGHT: Final = ":thought-"

_MEDIA: Final = frozenset({"image", "audio", "video", "document"})


class Rows:
    """The assistant's rows of one message, as its parts come: which row the next part belongs to.

    A row is text and then calls. After a call's result, or a thought, the next part begins a new row, so that a model
    gets the rounds of an agent's loop in their order.
    """

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self._rows = 0
        self._thoughts = 0
        self._calls: dict[str, None] = {}
        self._answered = False
        self._used = False
        self._thought_since = False

    @property
    def current(self) -> str:
        """The id of the newest row."""
        return f"{self.message_id}{MARK}{self._rows}" if self._rows else self.message_id

    @property
    def used(self) -> bool:
        """Whether anything is in the newest row."""
        return self._used

    @property
    def shown(self) -> bool:
        """Whether the message has any row yet."""
        return self._used or self._thoughts > 0

    def text(self) -> str:
        """Return the row that text belongs to."""
        if self._calls or self._thought_since:
            self._next()
        self._used = True
        return self.current

    def call(self, call_id: str) -> str:
        """Return the row that a call belongs to."""
        if self._answered or self._thought_since:
            self._next()
        self._used = True
        self._calls[call_id] = None
        return self.current

    def result(self, call_id: str) -> str:
        """Return the id of the row for a call's result."""
        self._answered = self._answered or call_id in self._calls
        return result_row(self.message_id, call_id)

    def thought(self) -> str:
        """Return the id of a new row for a thought."""
        self._thought_since = self._used
        self._thoughts += 1
        return f"{self.message_id}{_THOUGHT}{self._thoughts}"

    def _next(self) -> None:
        self._rows += 1
        self._calls = {}
        self._answered = self._used = self._thought_since = False


def result_row(message_id: str, call_id: str) -> str:
    """Return the id of the row for the result of a call in this message."""
    return f"{message_id}:{call_id}"


def rows_of(messages: Iterable[Message], *, files: bool = True) -> list[Row]:
    """Return a chat as rows. Without ``files``, sources of the type ``file`` become text: old clients know none."""
    return [row for message in messages for row in message_rows(message, Rows(str(message.get("id"))), files=files)]


def message_rows(message: Message, rows: Rows, *, files: bool = True) -> list[Row]:
    """Return the rows of one message, and leave ``rows`` as it stands after its last part."""
    role = message.get("role")
    if role == "user":
        return [_row(message, {"content": _user_content(message, files=files)})]
    if role in ("system", "developer"):
        return [_row(message, {"content": "".join(_texts(message))})]
    if role in ("assistant", "reasoning"):
        return _assistant(message, rows)
    return []


def _row(message: Message, fields: dict[str, Any]) -> Row:
    named = {"name": message["name"]} if isinstance(message.get("name"), str) else {}
    row = {"id": str(message.get("id")), "role": message["role"], **named, **fields}
    return with_metadata(row, message.get("metadata"))


def _parts(message: Message) -> list[Mapping[str, Any]]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _texts(message: Message) -> list[str]:
    return [part["content"] for part in _parts(message) if _is_text(part)]


def _is_text(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "text" and isinstance(part.get("content"), str)


def _user_content(message: Message, *, files: bool) -> str | list[dict[str, Any]]:
    content = [made for part in _parts(message) if (made := _user_part(part, files=files)) is not None]
    if len(content) <= 1 and all(part["type"] == "text" for part in content):
        return content[0]["text"] if content else ""
    return content


def _user_part(part: Mapping[str, Any], *, files: bool) -> dict[str, Any] | None:
    kind, source = part.get("type"), part.get("source")
    if _is_text(part):
        return {"type": "text", "text": part["content"]}
    if not isinstance(kind, str) or kind not in _MEDIA or not isinstance(source, dict):
        return None
    if not isinstance(source.get("value"), str) or source.get("type") not in ("data", "url", "file"):
        return None
    made = {"type": source["type"], "value": source["value"]}
    if isinstance(source.get("mimeType"), str):
        made["mimeType"] = source["mimeType"]
    elif source["type"] == "data":
        made["mimeType"] = "application/octet-stream"
    if source["type"] == "file":
        if not files:
            return {"type": "text", "text": source["value"]}
        made |= {"provider": source["provider"]} if isinstance(source.get("provider"), str) else {}
    more = {"metadata": part["metadata"]} if part.get("metadata") is not None else {}
    return {"type": kind, "source": made, **more}


def _assistant(message: Message, rows: Rows) -> list[Row]:
    """Return the rows of an answer. The last of them carries its metadata."""
    made: list[Row] = []
    by_id: dict[str, Row] = {}
    callers: dict[str, str] = {}
    answered = [part.get("toolCallId") for part in _parts(message) if part.get("type") == "tool-result"]
    said = repeated = ""

    def row(row_id: str) -> Row:
        if row_id not in by_id:
            by_id[row_id] = {"id": row_id, "role": "assistant"}
            made.append(by_id[row_id])
        return by_id[row_id]

    def add_result(call_id: str, part: Mapping[str, Any], content: Any) -> None:
        result: Row = {"id": rows.result(call_id), "role": "tool", "toolCallId": call_id, "content": text(content)}
        if part.get("state") == "error":
            error = part.get("error")
            result["error"] = error if isinstance(error, str) and error else result["content"]
        _insert(made, result, callers.get(call_id))

    for part in _parts(message):
        kind = part.get("type")
        if kind == "thinking":
            made.append(_thought(part, rows))
            repeated = said
        elif _is_text(part) or (kind == "structured-output" and isinstance(part.get("raw"), str)):
            content = part["content"] if kind == "text" else part["raw"]
            # After a thought in the middle of a text, the fold repeats what was said before it.
            added = content.removeprefix(repeated)
            said, repeated = content, ""
            if added:
                into = row(rows.text())
                into["content"] = into.get("content", "") + added
        elif kind == "tool-call" and isinstance(part.get("id"), str):
            said = repeated = ""
            caller = row(rows.call(part["id"]))
            caller.setdefault("toolCalls", []).append(_call(part))
            callers[part["id"]] = caller["id"]
            if "output" in part and part["id"] not in answered:
                add_result(part["id"], part, part["output"])
        elif kind == "tool-result" and isinstance(part.get("toolCallId"), str):
            said = repeated = ""
            add_result(part["toolCallId"], part, part.get("content", ""))
    told = {"metadata": message["metadata"]} if isinstance(message.get("metadata"), dict) else {}
    if not made and not has_failed(message.get("metadata")):
        # Nothing of it is shown live, and a row without content would be a gap.
        return []
    if told:
        last = row(rows.current)
        if "toolCalls" not in last:
            last.setdefault("content", "")
        last |= told
    if isinstance(message.get("name"), str):
        for each in by_id.values():
            each["name"] = message["name"]
    return made


def _thought(part: Mapping[str, Any], rows: Rows) -> Row:
    content, signature = part.get("content"), part.get("signature")
    row = {"id": rows.thought(), "role": "reasoning", "content": content if isinstance(content, str) else ""}
    return {**row, "encryptedValue": signature} if isinstance(signature, str) and signature else row


def _call(part: Mapping[str, Any]) -> dict[str, Any]:
    name, arguments = part.get("name"), part.get("arguments")
    if not isinstance(arguments, str) or (not arguments and "input" in part):
        arguments = text(part["input"]) if "input" in part else ""
    function = {"name": name if isinstance(name, str) else "", "arguments": join_surrogates(arguments)}
    return with_metadata({"id": part["id"], "type": "function", "function": function}, part.get("metadata"))


def _insert(made: list[Row], result: Row, caller: str | None) -> None:
    """Put a result behind the row that called the tool and the results that are there, as clients do."""
    at = next((index for index, row in enumerate(made) if row["id"] == caller), None)
    if at is None:
        made.append(result)
        return
    at += 1
    while at < len(made) and made[at]["role"] == "tool":
        at += 1
    made.insert(at, result)
