"""TanStack's messages as an OpenAI-compatible server takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def chat_messages(messages: Sequence[Mapping[str, Any]], *, system: str | None = None) -> list[Row]:
    """UIMessages (``parts``) and AG-UI rows (``content``, ``toolCalls``, ``toolCallId``) as chat messages.

    Reasoning is left out. Every tool call is followed by its result, as the protocol demands: a call that never got
    one (the run was stopped) is answered with an error that says so; a result whose call is not there is left out.
    """
    rows: list[Row] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        role = message.get("role")
        if role in ("system", "developer"):
            rows.append({"role": role, "content": _text(message)})
        elif role == "user":
            rows.append({"role": "user", "content": _user_content(message)})
        elif role == "assistant":
            rows += _assistant(message)
        elif role == "tool":
            rows.append(_result(message.get("toolCallId"), message.get("content")))
    return _paired(rows)


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def _text(message: Mapping[str, Any]) -> str:
    parts = [
        part["content"]
        for part in _parts(message)
        if part.get("type") == "text" and isinstance(part.get("content"), str)
    ]
    content = message.get("content")
    return "".join(parts) or (content if isinstance(content, str) else "")


def _user_content(message: Mapping[str, Any]) -> str | list[Row]:
    rows = [row for part in _parts(message) if (row := _user_part(part)) is not None]
    if all(row["type"] == "text" for row in rows):
        return "".join(row["text"] for row in rows) or _text(message)
    return rows


def _user_part(part: Mapping[str, Any]) -> Row | None:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("content"), str):
        return {"type": "text", "text": part["content"]}
    source = part.get("source")
    if not isinstance(source, Mapping) or not isinstance(source.get("value"), str):
        return None
    inline = source.get("type") == "data"
    mime = source.get("mimeType") or "application/octet-stream"
    url = f"data:{mime};base64,{source['value']}" if inline else source["value"]
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    if kind == "audio" and inline:
        return {"type": "input_audio", "input_audio": {"data": source["value"], "format": str(mime).split("/")[-1]}}
    if kind == "document" and inline:
        return {"type": "file", "file": {"filename": "document", "file_data": url}}
    return {"type": "text", "text": url} if not inline else None


def _assistant(message: Mapping[str, Any]) -> list[Row]:
    """An assistant's message as rows: text and calls up to the first result, the results, and so on."""
    rows: list[Row] = []
    text = ""
    calls: list[Row] = []
    results: list[Row] = []

    def flush() -> None:
        nonlocal text
        if text or calls:
            row: Row = {"role": "assistant", "content": text or None}
            if calls:
                row["tool_calls"] = list(calls)
            rows.append(row)
        rows.extend(results)
        text = ""
        calls.clear()
        results.clear()

    for part in _parts(message):
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("content"), str):
            if calls:
                flush()
            text += part["content"]
        elif kind == "tool-call" and isinstance(part.get("id"), str):
            calls.append(_call(part["id"], part.get("name"), part.get("arguments")))
            if "output" in part:
                results.append(_result(part["id"], part["output"]))
        elif kind == "tool-result" and isinstance(part.get("toolCallId"), str):
            results.append(_result(part["toolCallId"], part.get("content", part.get("error"))))
    tool_calls = message.get("toolCalls")
    for call in tool_calls if isinstance(tool_calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and isinstance(call.get("id"), str):
            calls.append(_call(call["id"], function.get("name"), function.get("arguments")))
    flush()
    return rows


def _call(call_id: str, name: Any, arguments: Any) -> Row:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": str(name or "unknown"), "arguments": _complete_json(arguments)},
    }


def _complete_json(arguments: Any) -> str:
    """Arguments that a stop cut off in the middle are no JSON, which servers refuse."""
    if not isinstance(arguments, str):
        return json.dumps(arguments) if arguments is not None else "{}"
    try:
        json.loads(arguments)
    except ValueError:
        return "{}"
    return arguments


def _result(call_id: Any, content: Any) -> Row:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def _paired(rows: list[Row]) -> list[Row]:
    """Each call's result right behind it, wherever in the list it stood."""
    results = {row["tool_call_id"]: row for row in rows if row["role"] == "tool"}
    paired: list[Row] = []
    for row in rows:
        if row["role"] == "tool":
            continue
        paired.append(row)
        for call in row.get("tool_calls", ()):
            missing = _result(call["id"], {"error": "The call was interrupted before it had a result."})
            paired.append(results.get(call["id"], missing))
    return paired
