"""UIMessages of the AI SDK as ours: what its clients submit."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ...errors import BadRequest
from ...protocol.json_text import NotJson, loads, stringify
from .names import CLIENT, EXECUTED_BY, MESSAGE_MARK, OURS, Message, Part

_ROLES: Final = ("user", "assistant", "system")

_STATES: Final = {
    "input-streaming": "input-streaming",
    "input-available": "input-complete",
    "approval-requested": "approval-requested",
    "approval-responded": "approval-responded",
    "output-denied": "approval-responded",
    "output-available": "complete",
    "output-error": "error",
}
"""The states of a tool part, and of our tool call."""

_SETTLED: Final = frozenset({"output-available", "output-error"})
_ANSWERED: Final = frozenset({"approval-responded", "output-denied"})


def read_ui_messages(messages: Any) -> list[Message]:
    """Return a submitted list of UIMessages as messages of ours, for ``wire.messages.read_messages`` to check.

    One assistant message of the AI SDK may stand for several of the log. Raises BadRequest (400), which names the part.
    """
    if not isinstance(messages, list):
        raise BadRequest(400, "messages: must be the list of all UIMessages, as DefaultChatTransport sends it.")
    return [ours for index, message in enumerate(messages) for ours in _read(message, f"messages[{index}]")]


def answers_tools(message: Any) -> bool:
    """Return whether a submitted assistant message brings the results of client tools, or an approval.

    Only its last step counts: what came before has been answered.
    """
    parts = message.get("parts") if isinstance(message, dict) else None
    step: list[Part] = []
    last: list[Part] = []
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("type") in ("step-start", MESSAGE_MARK):
            step = []
        elif isinstance(part, dict):
            step.append(part)
            last = step
    return any(_is_answered(part) for part in last)


def call_ids(message: Message) -> list[str]:
    """Return the ids of the tool calls in a submitted message that ``read_ui_messages`` has taken."""
    return [part["toolCallId"] for part in message["parts"] if _is_tool(part)]


def _is_answered(part: Part) -> bool:
    state = part.get("state")
    if not _is_tool(part) or not isinstance(state, str):
        return False
    return state in _ANSWERED or (state in _SETTLED and not part.get("providerExecuted"))


def _read(message: Any, where: str) -> list[Message]:
    if not isinstance(message, dict):
        raise BadRequest(400, f"{where}: must be a UIMessage with `id`, `role` and `parts`.")
    if message.get("role") not in _ROLES or not isinstance(message.get("role"), str):
        raise BadRequest(400, f"{where}.role: must be one of {', '.join(_ROLES)}.")
    if not isinstance(message.get("id"), str) or not message["id"]:
        raise BadRequest(400, f"{where}.id: must be a string that is not empty.")
    parts = message.get("parts")
    if not isinstance(parts, list):
        raise BadRequest(400, f"{where}.parts: must be a list. Messages without parts are those of AI SDK 4 and older.")
    begun: Message = {key: message[key] for key in ("id", "role", "metadata") if message.get(key) is not None}
    read = [begun | {"parts": []}]
    results: list[Part] = []

    def end_step() -> None:
        read[-1]["parts"] += results
        results.clear()

    for index, part in enumerate(parts):
        at = f"{where}.parts[{index}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadRequest(400, f"{at}: must be an object with a `type`.")
        if part["type"] == "step-start":
            end_step()
        elif part["type"] == MESSAGE_MARK:
            end_step()
            data = part.get("data")
            message_id = data.get("id") if isinstance(data, dict) else None
            if not isinstance(message_id, str) or not message_id:
                raise BadRequest(400, f"{at}.data.id: must be a string. Send this part back as it came.")
            if not read[-1]["parts"]:
                read.pop()
            read.append({"id": message_id, "role": message["role"], "parts": []})
        else:
            read[-1]["parts"] += _part(part, at, results)
    end_step()
    return read


def _part(part: Part, where: str, results: list[Part]) -> Iterable[Part]:
    """Return the part as ours; the result of a tool goes to ``results``, which come behind the step's calls."""
    if _is_tool(part):
        return _tool(part, where, results)
    make = _MAKERS.get(part["type"])
    # What the AI SDK alone knows is kept for its clients.
    return [part if make is None else make(part, where)]


def _string(part: Mapping[str, Any], name: str, where: str, *, default: str | None = None) -> str:
    value = part.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(400, f"{where}.{name}: must be a string.")
    return value


def _text(part: Part, where: str) -> Part:
    return {"type": "text", "content": _string(part, "text", where)}


def _reasoning(part: Part, where: str) -> Part:
    made: Part = {"type": "thinking", "content": _string(part, "text", where)}
    signature = _ours(part, "providerMetadata").get("signature")
    return {**made, "signature": signature} if isinstance(signature, str) else made


def _ours(part: Part, name: str) -> dict[str, Any]:
    metadata = part.get(name)
    ours = metadata.get(OURS) if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}


def _file(part: Part, where: str) -> Part:
    url = _string(part, "url", where)
    media_type = _string(part, "mediaType", where, default="")
    if url.startswith("data:"):
        source = _inline(url, media_type, where)
    elif url.startswith("blob:"):
        raise BadRequest(400, f"{where}.url: a blob: URL is only known to the browser that made it. Send a data: URL.")
    else:
        source = {"type": "url", "value": url} | ({"mimeType": media_type} if media_type else {})
    top = source.get("mimeType", "").partition("/")[0]
    made: Part = {"type": top if top in ("image", "audio", "video") else "document", "source": source}
    filename = part.get("filename")
    return {**made, "metadata": {"filename": filename}} if isinstance(filename, str) else made


def _inline(url: str, media_type: str, where: str) -> dict[str, str]:
    """Return the source that a data: URL stands for, always in base64."""
    head, comma, payload = url[len("data:") :].partition(",")
    if not comma:
        raise BadRequest(400, f"{where}.url: the data: URL has no comma, and so no data.")
    named, *options = head.split(";")
    if options and options[-1].strip().lower() == "base64":
        try:
            base64.b64decode(payload, validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest(400, f"{where}.url: the data: URL is not valid base64.") from None
    else:
        payload = base64.b64encode(unquote_to_bytes(payload)).decode()
    return {"type": "data", "value": payload, "mimeType": media_type or named or "text/plain"}


_MAKERS: Final[Mapping[str, Callable[[Part, str], Part]]] = {"text": _text, "reasoning": _reasoning, "file": _file}


# --- Tools ----------------------------------------------------------------------------------------------------


def _is_tool(part: Part) -> bool:
    kind = part.get("type")
    return isinstance(kind, str) and (kind == "dynamic-tool" or kind.startswith("tool-"))


def _tool(part: Part, where: str, results: list[Part]) -> list[Part]:
    state = part.get("state")
    if not isinstance(state, str) or state not in _STATES:
        raise BadRequest(400, f"{where}.state: must be one of {', '.join(_STATES)}.")
    name = _string(part, "toolName", where) if part["type"] == "dynamic-tool" else part["type"][len("tool-") :]
    call_id = _string(part, "toolCallId", where)
    call: Part = {"type": "tool-call", "id": call_id, "name": name, "arguments": _arguments(part)}
    call["state"] = _STATES[state]
    if "input" in part and not isinstance(part["input"], str):
        call["input"] = part["input"]
    metadata = _ours(part, "callProviderMetadata")
    approval = part.get("approval")
    if isinstance(approval, dict):
        call["approval"] = _approval(approval, f"{where}.approval")
    if state in _SETTLED:
        output = part.get("output") if state == "output-available" else {"error": _string(part, "errorText", where)}
        call["output"] = output
        results.append(_result(call_id, part, output))
        if not part.get("providerExecuted"):
            metadata = {**metadata, EXECUTED_BY: CLIENT}
    if metadata:
        call["metadata"] = metadata
    return [call]


def _arguments(part: Part) -> str:
    given = part.get("input")
    if given is None:
        given = part.get("rawInput")
    if given is None:
        return ""
    return given if isinstance(given, str) else stringify(given)


def _approval(approval: Part, where: str) -> Part:
    made: Part = {"id": _string(approval, "id", where), "needsApproval": True}
    if isinstance(approval.get("approved"), bool):
        made["approved"] = approval["approved"]
    if isinstance(approval.get("reason"), str):
        made["reason"] = approval["reason"]
    return made


def _result(call_id: str, part: Part, output: Any) -> Part:
    result: Part = {"type": "tool-result", "toolCallId": call_id}
    if part["state"] == "output-error":
        return {**result, "content": stringify(output), "state": "error", "error": part["errorText"]}
    return {**result, "content": _content(output), "state": "complete"}


def _content(output: Any) -> str:
    """Return the text that is read back as this output."""
    if not isinstance(output, str):
        return stringify(output)
    try:
        loads(output)
    except NotJson:
        return output
    return stringify(output)
