"""A message of the AI SDK as the UI chunks that build it: what a resumed stream begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from .frames import UIChunk
from .names import Message, Part

_TOOL: Final = ("toolCallId", "toolName", "input", "providerExecuted")


def replayed(message: Message) -> Iterator[UIChunk]:
    """Yield the chunks of which a client makes this message, from its ``start`` on. Its last step stays open."""
    start: UIChunk = {"type": "start", "messageId": message["id"]}
    if "metadata" in message:
        start["messageMetadata"] = message["metadata"]
    yield start
    has_steps = False
    for number, part in enumerate(message["parts"]):
        if part["type"] == "step-start":
            if has_steps:
                yield {"type": "finish-step"}
            yield {"type": "start-step"}
            has_steps = True
        elif (make := _MAKERS.get(part["type"])) is not None:
            yield from make(part, f"earlier-{number}")
        elif part["type"].startswith("data-"):
            yield {"type": part["type"], "data": part.get("data")}


def _text(part: Part, part_id: str) -> Iterator[UIChunk]:
    kind = part["type"]
    yield {"type": f"{kind}-start", "id": part_id}
    if part["text"]:
        yield {"type": f"{kind}-delta", "id": part_id, "delta": part["text"]}
    end: UIChunk = {"type": f"{kind}-end", "id": part_id}
    yield {**end, "providerMetadata": part["providerMetadata"]} if "providerMetadata" in part else end


def _tool(part: Part, part_id: str) -> Iterator[UIChunk]:
    """Yield a call as far as it went. Version 6 has no chunk for an approval that was given: the call then goes on."""
    call: UIChunk = {key: part[key] for key in _TOOL if key in part}
    if "callProviderMetadata" in part:
        call["providerMetadata"] = part["callProviderMetadata"]
    state = part["state"]
    yield {"type": "tool-input-available", **call, "dynamic": True}
    after: UIChunk = {"toolCallId": part["toolCallId"]}
    if state == "approval-requested":
        yield {"type": "tool-approval-request", **after, "approvalId": part["approval"]["id"]}
    elif state == "output-denied":
        yield {"type": "tool-output-denied", **after}
    if "providerExecuted" in part:
        after["providerExecuted"] = part["providerExecuted"]
    if state == "output-available":
        yield {"type": "tool-output-available", **after, "output": part["output"]}
    elif state == "output-error":
        yield {"type": "tool-output-error", **after, "errorText": part["errorText"]}


def _as_it_is(part: Part, part_id: str) -> Iterator[UIChunk]:
    yield part


_MAKERS: Final[Mapping[str, Callable[[Part, str], Iterator[UIChunk]]]] = {
    "text": _text,
    "reasoning": _text,
    "dynamic-tool": _tool,
    "file": _as_it_is,
    "source-url": _as_it_is,
    "source-document": _as_it_is,
}


def calls_of(message: Message) -> Iterator[Any]:
    """Yield the ids of a message's tool calls."""
    return (part["toolCallId"] for part in message["parts"] if part["type"] == "dynamic-tool")
