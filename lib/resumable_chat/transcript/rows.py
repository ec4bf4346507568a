"""Rows of MESSAGES_SNAPSHOT as UIMessages: rows with ``parts``, and AG-UI's rows with ``content``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..protocol.message_shapes import message_flaw
from .content import content_parts, is_content_list, part_list
from .js import date, truthy
from .results import parsed_or
from .values import MISSING, Message, Part, Unfoldable, is_id, record, tanstack

Row = dict[str, Any]


def read_row(row: Any, new_id: Callable[[], str]) -> Message:
    """Return the message of a row. Raises Unfoldable where the browser would throw."""
    if not isinstance(row, dict) or not is_id(row.get("id")):
        raise Unfoldable("a row of a snapshot must be an object, and its `id` a string")
    message_id = row["id"] if truthy(row.get("id")) else new_id()
    if "parts" in row:
        message = {**row, "id": message_id, "parts": [_dated(part) for part in part_list(row["parts"])]}
    else:
        if row.get("role") == "tool":
            row = _unpacked(row)
        role = row.get("role")
        read = _READERS.get(role, _other) if isinstance(role, str) else _other
        message = {"id": message_id, **read(row)}
        if isinstance(row.get("name"), str):
            message["name"] = row["name"]
        if isinstance(row.get("metadata"), dict):
            message["metadata"] = row["metadata"]
    extras = tanstack(message) if isinstance(message.get("metadata"), dict) else {}
    created = date(message.get("createdAt")) or date(extras.get("createdAt"))
    message.pop("createdAt", None)
    if created is not None:
        message["createdAt"] = created
    _add_resources(message, extras.get("uiResources"))
    flaw = message_flaw(message)
    if flaw is not None:
        raise Unfoldable(flaw)
    return message


def _dated(part: Part) -> Part:
    """Return a copy of a part; a tool result's date is normalised, or left out if it is not a date."""
    if part.get("type") != "tool-result" or "createdAt" not in part:
        return dict(part)
    created = date(part["createdAt"])
    rest = {key: value for key, value in part.items() if key != "createdAt"}
    return rest if created is None else {**rest, "createdAt": created}


def _user(row: Row) -> Message:
    content = row.get("content")
    if isinstance(content, str):
        return {"role": "user", "parts": [{"type": "text", "content": content}] if content else []}
    parts: list[Part] = []
    for part in part_list(content):
        if part.get("type") == "text":
            parts.append({"type": "text", "content": part["text"]} if "text" in part else {"type": "text"})
        elif part.get("type") != "binary":
            parts.append(dict(part))
    return {"role": "user", "parts": parts}


def _assistant(row: Row) -> Message:
    extras = tanstack(row)
    structured = _structured(extras.get("structuredOutput"))
    if structured is None:
        parts = content_parts(row.get("content"))
    else:
        text = row.get("content")
        text = text if isinstance(text, str) and text != structured["raw"] else ""
        text = text.removesuffix(structured["raw"])
        parts = [{"type": "text", "content": text}, structured] if text else [structured]
    calls = row.get("toolCalls")
    if calls is not None and not isinstance(calls, list):
        raise Unfoldable("`toolCalls` must be a list")
    packed = record(extras.get("toolCallMetadata"))
    return {"role": "assistant", "parts": parts + [_call(call, packed) for call in calls or ()]}


def _structured(packed: Any) -> Part | None:
    """Return the structured output that an assistant row carries in its metadata, if it does."""
    packed = record(packed)
    if packed.get("status") not in ("streaming", "complete", "error") or not isinstance(packed.get("raw"), str):
        return None
    part: Part = {"type": "structured-output", "status": packed["status"], "raw": packed["raw"]}
    part |= {key: packed[key] for key in ("partial", "data", "errorMessage") if key in packed}
    if truthy(packed.get("reasoning")):
        part["reasoning"] = packed["reasoning"]
    return part


def _call(call: Any, packed: dict[str, Any]) -> Part:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise Unfoldable("each of `toolCalls` must be an object with a `function`")
    part: Part = {"type": "tool-call", "state": "input-complete"}
    if "id" in call:
        part["id"] = call["id"]
    part |= {key: function[key] for key in ("name", "arguments") if key in function}
    parsed = parsed_or(MISSING, function.get("arguments", MISSING))
    if parsed is not MISSING:
        part["input"] = parsed
    call_id = call.get("id")
    metadata = packed.get(call_id, MISSING) if isinstance(call_id, str) else MISSING
    metadata = call.get("metadata", MISSING) if metadata is MISSING else metadata
    if metadata is not MISSING:
        part["metadata"] = metadata
    return part


def _tool(row: Row) -> Message:
    """Return a tool's result as an assistant message of its own, which is put into its place later."""
    created = date(row.get("createdAt")) or date(tanstack(row).get("createdAt"))
    dated = {} if created is None else {"createdAt": created}
    call_id = row.get("toolCallId")
    if not truthy(call_id):
        return {"role": "assistant", "parts": content_parts(row.get("content")), **dated}
    if not is_id(call_id):
        raise Unfoldable("`toolCallId` must be a string")
    content = row.get("content")
    if content is not None and not isinstance(content, (str, list)):
        raise Unfoldable("a tool row's `content` must be a string or a list")
    part: Part = {
        "type": "tool-result",
        "toolCallId": call_id,
        "content": "" if content is None else content,
        "state": "error" if "error" in row else "complete",
    }
    part |= {key: row[key] for key in ("id", "name") if isinstance(row.get(key), str)}
    if row.get("metadata") is not None:
        part["metadata"] = row["metadata"]
    if "error" in row:
        part["error"] = row["error"]
    part |= dated
    return {"role": "assistant", "parts": [part], **dated}


def _unpacked(row: Row) -> Row:
    """Return a tool row with the id, date and content that TanStack packed into its metadata."""
    extras = tanstack(row)
    packed = extras.get("toolResult")
    if not isinstance(packed, dict) or ("content" in packed and not is_content_list(packed["content"])):
        return row
    unpacked = {key: value for key, value in row.items() if key not in ("id", "createdAt") or key in packed}
    if isinstance(packed.get("id"), str):
        unpacked["id"] = packed["id"]
    if date(packed.get("createdAt")) is not None:
        unpacked["createdAt"] = packed["createdAt"]
    if "content" in packed:
        unpacked["content"] = packed["content"]
    if isinstance(row.get("metadata"), dict):
        rest = {key: value for key, value in extras.items() if key != "toolResult"}
        metadata = {key: value for key, value in row["metadata"].items() if key != "tanstack"}
        metadata |= {"tanstack": rest} if rest else {}
        unpacked.pop("metadata")
        unpacked |= {"metadata": metadata} if metadata else {}
    return unpacked


def _system(row: Row) -> Message:
    content = row.get("content")
    return {"role": "system", "parts": [{"type": "text", "content": content}] if truthy(content) else []}


def _reasoning(row: Row) -> Message:
    content = row.get("content")
    part: Part = {"type": "thinking", "content": content if isinstance(content, str) else ""}
    signatures = (row.get("encryptedValue"), tanstack(row).get("signature"))
    signature = next((found for found in signatures if isinstance(found, str) and found), None)
    if signature is not None:
        part["signature"] = signature
    return {"role": "assistant", "parts": [part] if part["content"] or signature is not None else []}


def _other(row: Row) -> Message:
    return {"role": "assistant", "parts": []}


_READERS: Final = {
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "system": _system,
    "developer": _system,
    "reasoning": _reasoning,
}


def _add_resources(message: Message, resources: Any) -> None:
    """Add the UI resources in a row's metadata that the message does not have yet."""
    present = {_resource_key(part) for part in message["parts"]}
    for part in resources if isinstance(resources, list) else ():
        key = _resource_key(part)
        if key is not None and key not in present:
            message["parts"].append(dict(part))


def _resource_key(part: Any) -> tuple[Any, ...] | None:
    """Return the values that tell a UI resource from others; None if the part is not one."""
    part = record(part)
    resource = record(part.get("resource"))
    key = (part.get("toolCallId"), part.get("toolName"), resource.get("uri"))
    texts = (*key, resource.get("mimeType"))
    return key if part.get("type") == "ui-resource" and all(isinstance(text, str) for text in texts) else None
