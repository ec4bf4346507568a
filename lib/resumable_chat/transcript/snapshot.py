"""MESSAGES_SNAPSHOT: rows of several wire forms into UIMessages, with what the previous list knew better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .js import NotJson, date, parse_json, truthy
from .results import MISSING, output_of

Message = dict[str, Any]
Part = dict[str, Any]

_UNSETTLED: Final = frozenset({"input-complete", "input-streaming", "awaiting-input"})


def read_snapshot(rows: list[Any], previous: list[Message], new_id: Callable[[], str]) -> list[Message]:
    """The messages that a snapshot's rows stand for. Raises ValueError if a row is no object."""
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("every row of a snapshot must be an object")
    messages = [_normalise(row, new_id) for row in rows]
    messages = _anchor_results(_fold_reasoning(messages), previous)
    _enrich(messages, previous)
    known = {message.get("id"): message for message in previous}
    for message in messages:
        before = known.get(message["id"], {})
        if "metadata" not in message and "metadata" in before:
            message["metadata"] = before["metadata"]
    return messages


def _normalise(row: Message, new_id: Callable[[], str]) -> Message:
    message_id = row["id"] if truthy(row.get("id")) else new_id()
    metadata = row.get("metadata")
    if "parts" in row:
        message = {**row, "id": message_id, "parts": _parts(row["parts"])}
    else:
        if row.get("role") == "tool":
            metadata, restored = _unwrap_result(metadata)
            message = {"id": message_id, "role": "assistant", "parts": [_tool_result(row, restored)]}
        else:
            role, parts = _ROWS.get(row.get("role", ""), _other)(row)
            message = {"id": message_id, "role": role, "parts": parts}
        if isinstance(row.get("name"), str):
            message["name"] = row["name"]
        if isinstance(metadata, dict):
            message["metadata"] = metadata
    tanstack = _tanstack(metadata)
    created = date(row.get("createdAt")) or date(tanstack.get("createdAt"))
    if created is not None:
        message["createdAt"] = created
    else:
        message.pop("createdAt", None)
    _add_resources(message, tanstack.get("uiResources"))
    return message


def _parts(parts: Any) -> list[Part]:
    if not isinstance(parts, list):
        raise ValueError("`parts` must be a list")
    copied = []
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "tool-result" and "createdAt" in part:
            created = date(part["createdAt"])
            part = {key: value for key, value in part.items() if key != "createdAt"}
            if created is not None:
                part["createdAt"] = created
        copied.append(dict(part) if isinstance(part, dict) else part)
    return copied


def _tanstack(metadata: Any) -> dict[str, Any]:
    found = metadata.get("tanstack") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _user(row: Message) -> tuple[str, list[Part]]:
    content = row.get("content")
    if isinstance(content, str):
        return "user", [{"type": "text", "content": content}] if content else []
    parts = []
    for part in content if isinstance(content, list) else []:
        if part.get("type") == "text":
            parts.append({"type": "text", "content": part.get("text")})
        elif part.get("type") != "binary":
            parts.append(dict(part))
    return "user", parts


def _assistant(row: Message) -> tuple[str, list[Part]]:
    content = row.get("content")
    tanstack = _tanstack(row.get("metadata"))
    structured = tanstack.get("structuredOutput")
    parts: list[Part] = []
    if (
        isinstance(structured, dict)
        and structured.get("status") in ("streaming", "complete", "error")
        and isinstance(structured.get("raw"), str)
    ):
        raw = structured["raw"]
        if isinstance(content, str) and content and content != raw:
            text = content.removesuffix(raw) if raw else content
            if text:
                parts.append({"type": "text", "content": text})
        part = {"type": "structured-output", "status": structured["status"], "raw": raw}
        part |= {key: structured[key] for key in ("partial", "data") if key in structured}
        if truthy(structured.get("reasoning")):
            part["reasoning"] = structured["reasoning"]
        if "errorMessage" in structured:
            part["errorMessage"] = structured["errorMessage"]
        parts.append(part)
    elif isinstance(content, str):
        if content:
            parts.append({"type": "text", "content": content})
    elif isinstance(content, list):
        parts += [dict(part) for part in content]
    by_call = tanstack.get("toolCallMetadata")
    for call in row.get("toolCalls") or []:
        function = call.get("function") or {}
        arguments = function.get("arguments")
        part = {
            "type": "tool-call",
            "id": call.get("id"),
            "name": function.get("name"),
            "arguments": arguments,
            "state": "input-complete",
        }
        try:
            part["input"] = parse_json(arguments)  # type: ignore[arg-type]
        except (NotJson, TypeError):
            pass
        metadata = by_call.get(call.get("id")) if isinstance(by_call, dict) else None
        metadata = metadata if metadata is not None else call.get("metadata")
        if metadata is not None:
            part["metadata"] = metadata
        parts.append(part)
    return "assistant", parts


def _system(row: Message) -> tuple[str, list[Part]]:
    content = row.get("content")
    return "system", [{"type": "text", "content": content}] if truthy(content) else []


def _reasoning(row: Message) -> tuple[str, list[Part]]:
    content = row.get("content") or ""
    signature = row.get("encryptedValue") or _tanstack(row.get("metadata")).get("signature")
    if not content and not signature:
        return "assistant", []
    part = {"type": "thinking", "content": content}
    return "assistant", [{**part, "signature": signature} if signature else part]


def _other(row: Message) -> tuple[str, list[Part]]:
    return "assistant", []


_ROWS: Final = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
    "developer": _system,
    "reasoning": _reasoning,
}


def _unwrap_result(metadata: Any) -> tuple[Any, dict[str, Any]]:
    """The metadata of a tool row without the result that is packed into it, and that result."""
    tanstack = _tanstack(metadata)
    packed = tanstack.get("toolResult")
    if not isinstance(packed, dict):
        return metadata, {}
    content = packed.get("content")
    if "content" in packed and not (isinstance(content, list) and content and all(map(_is_content, content))):
        return metadata, {}
    rest = {key: value for key, value in tanstack.items() if key != "toolResult"}
    outer = {key: value for key, value in metadata.items() if key != "tanstack"}
    if rest:
        outer["tanstack"] = rest
    return outer or None, packed


def _is_content(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _tool_result(row: Message, restored: dict[str, Any]) -> Part:
    content = restored.get("content", row.get("content"))
    part: Part = {
        "type": "tool-result",
        "toolCallId": row.get("toolCallId"),
        "content": content if isinstance(content, (str, list)) else "",
        "state": "error" if truthy(row.get("error")) else "complete",
    }
    part_id = restored.get("id", row.get("id"))
    if isinstance(part_id, str):
        part["id"] = part_id
    if isinstance(row.get("name"), str):
        part["name"] = row["name"]
    metadata, _ = _unwrap_result(row.get("metadata"))
    if metadata is not None:
        part["metadata"] = metadata
    created = date(restored.get("createdAt", row.get("createdAt")))
    if created is not None:
        part["createdAt"] = created
    if truthy(row.get("error")):
        part["error"] = row["error"]
    return part


def _add_resources(message: Message, resources: Any) -> None:
    for found in resources if isinstance(resources, list) else []:
        resource = found.get("resource") if isinstance(found, dict) else None
        if not isinstance(resource, dict) or not all(
            isinstance(text, str)
            for text in (
                found.get("toolCallId"),
                found.get("toolName"),
                resource.get("uri"),
                resource.get("mimeType"),
            )
        ):
            continue
        key = (found["toolCallId"], found["toolName"], resource["uri"])
        present = {
            (part.get("toolCallId"), part.get("toolName"), part.get("resource", {}).get("uri"))
            for part in message["parts"]
            if part.get("type") == "ui-resource"
        }
        if key not in present:
            message["parts"].append({"type": "ui-resource", **{k: v for k, v in found.items() if k != "type"}})


def _types(message: Message) -> set[Any]:
    return {part.get("type") for part in message["parts"]}


def _only_results(message: Message) -> bool:
    types = _types(message)
    return "tool-result" in types and types <= {"tool-result", "ui-resource"}


def _fold_reasoning(messages: list[Message]) -> list[Message]:
    """Messages that are nothing but thoughts go into the answer that follows them."""
    folded: list[Message] = []
    held: list[Message] = []
    for message in messages:
        if message["role"] == "assistant" and message["parts"] and _types(message) == {"thinking"}:
            held.append(message)
            continue
        if held and message["role"] == "assistant" and not _only_results(message):
            thoughts = [part for thought in held for part in thought["parts"]]
            message = {**message, "parts": thoughts + message["parts"]}
        else:
            folded += held
        held = []
        folded.append(message)
    return folded + held


def _is_single_result(message: Message) -> bool:
    return (
        message["role"] == "assistant"
        and _only_results(message)
        and sum(part.get("type") == "tool-result" for part in message["parts"]) == 1
    )


def _call(message: Message, call_id: Any) -> Part | None:
    for part in message["parts"]:
        if part.get("type") == "tool-call" and part.get("id") == call_id:
            return part  # type: ignore[no-any-return]
    return None


def _anchor_results(messages: list[Message], previous: list[Message]) -> list[Message]:
    """A message that is nothing but one tool's result goes into the message that called the tool."""
    anchored: list[Message] = []
    for message in messages:
        if not _is_single_result(message):
            anchored.append(message)
            continue
        result = next(part for part in message["parts"] if part.get("type") == "tool-result")
        call_id = result.get("toolCallId")
        target = next((known for known in reversed(anchored) if _call(known, call_id)), None)
        if target is None:
            target = next(
                (
                    known
                    for known in reversed(anchored)
                    if known["role"] == "assistant" and not _is_single_result(known)
                ),
                None,
            )
        if target is None:
            anchored.append(message)
            continue
        parts = message["parts"]
        if not any(_call(known, call_id) for known in messages) and not _call(target, call_id):
            before = next((call for known in reversed(previous) if (call := _call(known, call_id))), None)
            if before is not None:
                parts = [dict(before), *parts]
        target["parts"] = target["parts"] + parts
    return anchored


def _enrich(messages: list[Message], previous: list[Message]) -> None:
    """Tool calls take over what the previous list knew of them, and what results in this list say."""
    known: dict[Any, Part] = {}
    for message in previous:
        for part in message.get("parts", ()):
            if part.get("type") == "tool-call":
                known[part.get("id")] = part
    results = {
        part.get("toolCallId"): part
        for message in messages
        for part in message["parts"]
        if isinstance(part, dict) and part.get("type") == "tool-result"
    }
    for message in messages:
        for index, part in enumerate(message["parts"]):
            if not isinstance(part, dict) or part.get("type") != "tool-call":
                continue
            call = dict(part)
            before = known.get(call.get("id"))
            settled = before is not None and ("output" in before or before.get("state") in ("complete", "error"))
            if before is not None and settled and ("output" not in call or call.get("state") in _UNSETTLED):
                call["state"] = before.get("state")
                call |= {key: before[key] for key in ("output", "approval", "metadata") if key in before}
            result = results.get(call.get("id"))
            if result is not None and "output" not in call:
                failed = result.get("state") == "error"
                output = output_of(result.get("content", MISSING))
                if failed and truthy(result.get("error")):
                    output = {"error": result["error"]}
                if output is not MISSING:
                    call["output"] = output
                call["state"] = "error" if failed else "complete"
            message["parts"][index] = call
