"""Our messages' parts as the AI SDK's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...transcript.results import error_text, output_of
from ...transcript.values import record
from .names import CLIENT, CUT_OFF, EXECUTED_BY, FILE_KINDS, Message, Part, input_of, provider_metadata

STEP: Final[Part] = {"type": "step-start"}

_SOURCES: Final = {"source-url": ("sourceId", "url"), "source-document": ("sourceId", "mediaType", "title")}
"""The AI SDK's own parts that messages may hold, and the fields that each must have."""


def ui_parts(message: Message) -> Iterator[Part]:
    """Yield the parts of one of our messages, in steps if it is an assistant's.

    A step ends behind the results of its calls, as it does in the stream. Parts that the AI SDK has no form for are
    left out.
    """
    is_answer = message.get("role") == "assistant"
    results = {part.get("toolCallId"): part for part in _parts(message) if part.get("type") == "tool-result"}
    if is_answer:
        yield dict(STEP)
    step_is_over = False
    for part in _parts(message):
        if part.get("type") == "tool-result":
            step_is_over = True
            continue
        made = _ui_part(part, results)
        if made is None:
            continue
        if not is_answer:
            made.pop("state", None)
        if step_is_over and is_answer:
            yield dict(STEP)
        step_is_over = False
        yield made


def _parts(message: Message) -> Iterator[Part]:
    parts = message.get("parts")
    return (part for part in parts if isinstance(part, dict)) if isinstance(parts, list) else iter(())


def _ui_part(part: Part, results: Mapping[Any, Part]) -> Part | None:
    kind = part.get("type")
    if not isinstance(kind, str):
        return None
    if kind == "text":
        return {"type": "text", "text": _text(part.get("content")), "state": "done"}
    if kind == "thinking":
        return _reasoning(part)
    if kind == "tool-call":
        return _tool(part, results.get(part.get("id")))
    if kind == "structured-output":
        return {"type": "text", "text": _text(part.get("raw")), "state": "done"}
    if kind == "ui-resource":
        return {"type": "data-ui-resource", "data": {key: part[key] for key in part if key != "type"}}
    if kind in FILE_KINDS:
        return _file(kind, part)
    if kind.startswith("data-"):
        return {key: part[key] for key in ("type", "id", "data") if key in part}
    return _source(part) if kind in _SOURCES else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _reasoning(part: Part) -> Part:
    made: Part = {"type": "reasoning", "text": _text(part.get("content")), "state": "done"}
    metadata = provider_metadata({"signature": part.get("signature")})
    return made if metadata is None else {**made, "providerMetadata": metadata}


def _file(kind: str, part: Part) -> Part | None:
    source = part.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("value"), str):
        return None
    media_type = source.get("mimeType")
    if not isinstance(media_type, str) or not media_type:
        media_type = FILE_KINDS[kind]
    url = source["value"]
    if source.get("type") == "data":
        url = f"data:{media_type};base64,{url}"
    made: Part = {"type": "file", "mediaType": media_type, "url": url}
    metadata = part.get("metadata")
    filename = metadata.get("filename") if isinstance(metadata, dict) else None
    return {**made, "filename": filename} if isinstance(filename, str) else made


def _source(part: Part) -> Part | None:
    needed = _SOURCES[part["type"]]
    if not all(isinstance(part.get(name), str) for name in needed):
        return None
    named = (*needed, *(name for name in ("title", "filename") if isinstance(part.get(name), str)))
    return {"type": part["type"], **{name: part[name] for name in named}}


def _tool(call: Part, result: Part | None) -> Part | None:
    """Return a tool call with what became of it."""
    call_id = call.get("id")
    if not isinstance(call_id, str):
        return None
    metadata = record(call.get("metadata"))
    made: Part = {"type": "dynamic-tool", "toolName": _text(call.get("name")), "toolCallId": call_id}
    entries = provider_metadata(metadata)
    if entries is not None:
        made["callProviderMetadata"] = entries
    found, given = input_of(call)
    made["input"] = given
    approval = _approval(call)
    if result is not None or "output" in call:
        output = call["output"] if "output" in call else output_of((result or {}).get("content"))
        if metadata.get(EXECUTED_BY) != CLIENT:
            # Otherwise the client takes the call for one of its own, and sends the answer once more.
            made["providerExecuted"] = True
        if approval is not None and approval.get("approved") is True:
            made["approval"] = approval
        if call.get("state") == "error" or (result or {}).get("state") == "error":
            return {**made, "state": "output-error", "errorText": error_text(output)}
        return {**made, "state": "output-available", "output": output}
    if approval is not None:
        if "approved" not in approval:
            return {**made, "state": "approval-requested", "approval": approval}
        state = "approval-responded" if approval["approved"] else "output-denied"
        return {**made, "state": state, "approval": approval}
    if not found or call.get("state") == "error":
        return {**made, "state": "output-error", "errorText": CUT_OFF, "providerExecuted": True}
    return {**made, "state": "input-available"}


def _approval(call: Part) -> Part | None:
    approval = call.get("approval")
    if not isinstance(approval, dict) or not isinstance(approval.get("id"), str):
        return None
    made: Part = {"id": approval["id"]}
    if isinstance(approval.get("approved"), bool):
        made["approved"] = approval["approved"]
        if isinstance(approval.get("reason"), str):
            made["reason"] = approval["reason"]
    return made
