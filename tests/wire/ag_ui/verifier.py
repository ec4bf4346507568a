"""The rules of AG-UI's strict clients, 0.0.59 and 1.0: what an event may hold, and in which order events come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Event = dict[str, Any]
Check = Callable[[Any], bool]


class Refused(AssertionError):
    """An event that a client would end its run for."""


def text(value: Any) -> bool:
    return isinstance(value, str)


def anything(value: Any) -> bool:
    return True


def record(value: Any) -> bool:
    return isinstance(value, dict)


def one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Say whether a value has exactly these fields: 1.0 warns of any other, and old clients refuse some."""
    fields = {**required, **(optional or {})}
    return lambda value: (
        isinstance(value, dict)
        and required.keys() <= value.keys() <= fields.keys()
        and all(fields[key](held) for key, held in value.items())
    )


METADATA = {"metadata": record}
SOURCES = (
    shape({"type": one_of("data"), "value": text, "mimeType": text}),
    shape({"type": one_of("url"), "value": text}, {"mimeType": text}),
)
FILE = shape({"type": one_of("file"), "value": text}, {"mimeType": text, "provider": text})
MEDIA = one_of("image", "audio", "video", "document")
CALL = shape({"id": text, "type": one_of("function"), "function": shape({"name": text, "arguments": text})}, METADATA)
INTERRUPT = shape(
    {"id": text, "reason": text},
    {"message": text, "toolCallId": text, "expiresAt": text, "responseSchema": record, **METADATA},
)
USAGE = shape(
    {},
    {"provider": text, "model": text}
    | dict.fromkeys(("inputTokens", "outputTokens", "totalTokens", "reasoningTokens", "cachedInputTokens"), count),
)


def part(current: bool) -> Check:
    sources = (*SOURCES, FILE) if current else SOURCES
    media = shape({"type": MEDIA, "source": lambda value: any(check(value) for check in sources)}, {"metadata": given})
    said = shape({"type": one_of("text"), "text": text})
    return lambda value: said(value) or media(value)


def given(value: Any) -> bool:
    return value is not None


def row(current: bool) -> Check:
    named = {"id": text}
    more = {"name": text, **METADATA}
    parts = list_of(part(current))
    kinds = {
        "user": shape({**named, "role": text, "content": lambda value: text(value) or parts(value)}, more),
        "system": shape({**named, "role": text, "content": text}, more),
        "developer": shape({**named, "role": text, "content": text}, more),
        "assistant": shape({**named, "role": text}, {"content": text, "toolCalls": list_of(CALL), **more}),
        "tool": shape({**named, "role": text, "content": text, "toolCallId": text}, {"error": text, **METADATA}),
        "reasoning": shape({**named, "role": text, "content": text}, {"encryptedValue": text, **METADATA}),
    }
    return lambda value: isinstance(value, dict) and value.get("role") in kinds and kinds[value["role"]](value)


def outcome(current: bool) -> Check:
    interrupted = shape(
        {"type": one_of("interrupt"), "interrupts": lambda value: bool(value) and list_of(INTERRUPT)(value)}
    )
    if not current:
        return interrupted
    others = (
        shape({"type": one_of("success")}, {"pendingToolCallIds": list_of(text)}),
        shape({"type": one_of("cancelled")}),
        interrupted,
    )
    return lambda value: any(check(value) for check in others)


def events(current: bool) -> dict[str, Check]:
    kind = {"type": text}
    message = {**kind, "messageId": text}
    call = {**kind, "toolCallId": text}
    thought = shape(message)
    started = {"protocolVersion": text} if current else {}
    return {
        "RUN_STARTED": shape({**kind, "threadId": text, "runId": text, **started}, {"parentRunId": text}),
        "RUN_FINISHED": shape(
            {**kind, "threadId": text, "runId": text, **({"outcome": outcome(True)} if current else {})},
            {"result": anything, "usage": list_of(USAGE), **({} if current else {"outcome": outcome(False)})},
        ),
        "RUN_ERROR": shape({**kind, "message": text}, {"code": text, "usage": list_of(USAGE)}),
        "TEXT_MESSAGE_START": shape(
            {**message, "role": one_of("user", "assistant", "system", "developer")}, {"name": text, **METADATA}
        ),
        "TEXT_MESSAGE_CONTENT": shape({**message, "delta": text}, METADATA),
        "TEXT_MESSAGE_END": shape(message, METADATA),
        "TOOL_CALL_START": shape({**call, "toolCallName": text, "parentMessageId": text}, METADATA),
        "TOOL_CALL_ARGS": shape({**call, "delta": text}),
        "TOOL_CALL_END": shape(call, METADATA),
        "TOOL_CALL_RESULT": shape({**call, **message, "content": text, "role": one_of("tool")}, METADATA),
        "REASONING_START": thought,
        "REASONING_MESSAGE_START": shape({**message, "role": one_of("reasoning")}),
        "REASONING_MESSAGE_CONTENT": shape({**message, "delta": text}),
        "REASONING_MESSAGE_END": thought,
        "REASONING_END": thought,
        "REASONING_ENCRYPTED_VALUE": shape(
            {**kind, "subtype": one_of("message", "tool-call"), "entityId": text, "encryptedValue": text}
        ),
        "STEP_STARTED": shape({**kind, "stepName": text}),
        "STEP_FINISHED": shape({**kind, "stepName": text}),
        "STATE_SNAPSHOT": shape({**kind, "snapshot": anything}),
        "STATE_DELTA": shape({**kind, "delta": list_of(record)}),
        "ACTIVITY_SNAPSHOT": shape(
            {**message, "activityType": text, "content": record}, {"replace": lambda value: type(value) is bool}
        ),
        "ACTIVITY_DELTA": shape({**message, "activityType": text, "patch": list_of(record)}),
        "MESSAGES_SNAPSHOT": shape({**kind, "messages": list_of(row(current))}),
        "CUSTOM": shape({**kind, "name": text, "value": anything}),
        "RAW": shape({**kind, "event": anything}, {"source": text}),
    }


EVENTS = {current: events(current) for current in (False, True)}

OPENERS = {
    "TEXT_MESSAGE_START": ("text", "messageId"),
    "TOOL_CALL_START": ("call", "toolCallId"),
    "REASONING_START": ("span", "messageId"),
    "REASONING_MESSAGE_START": ("thought", "messageId"),
    "STEP_STARTED": ("step", "stepName"),
}
GOES_ON = {
    "TEXT_MESSAGE_CONTENT": ("text", "messageId"),
    "TOOL_CALL_ARGS": ("call", "toolCallId"),
    "REASONING_MESSAGE_CONTENT": ("thought", "messageId"),
}
CLOSERS = {
    "TEXT_MESSAGE_END": ("text", "messageId"),
    "TOOL_CALL_END": ("call", "toolCallId"),
    "REASONING_END": ("span", "messageId"),
    "REASONING_MESSAGE_END": ("thought", "messageId"),
    "STEP_FINISHED": ("step", "stepName"),
}


def verify(sent: Iterable[Event], *, current: bool, ended: bool = True) -> None:
    """Raise Refused for the first event that a client of this version would not take.

    ``ended`` says that the response is whole, so that its last event must be the run's terminal.
    """
    open_parts: set[tuple[str, str]] = set()
    before: str | None = None
    for number, event in enumerate(sent):
        kind = event.get("type")
        where = f"event {number}: {event}"
        _assert(isinstance(kind, str) and kind in EVENTS[current] and EVENTS[current][kind](event), f"shape of {where}")
        _assert((number == 0) == (kind == "RUN_STARTED"), f"RUN_STARTED is first, and only first; {where}")
        _assert(before not in ("RUN_FINISHED", "RUN_ERROR"), f"nothing follows the terminal; {where}")
        before = kind
        if kind in OPENERS:
            opened = _named(event, OPENERS[kind])
            _assert(opened not in open_parts, f"it is open already; {where}")
            open_parts.add(opened)
        elif kind in GOES_ON:
            _assert(_named(event, GOES_ON[kind]) in open_parts, f"it is not open; {where}")
        elif kind in CLOSERS:
            _assert(_named(event, CLOSERS[kind]) in open_parts, f"it is not open; {where}")
            open_parts.remove(_named(event, CLOSERS[kind]))
        elif kind == "RUN_FINISHED":
            _assert(not open_parts, f"{open_parts} are open at {where}")
    _assert(not ended or before in ("RUN_FINISHED", "RUN_ERROR"), f"the run has no terminal, but ends with {before}")


def _named(event: Event, place: tuple[str, str]) -> tuple[str, str]:
    kind, key = place
    return kind, event[key]


def _assert(holds: bool, words: str) -> None:
    if not holds:
        raise Refused(words)
