"""The conversation as agents that speak AG-UI take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .parts import Attachment, Part, Text
from .rounds import Round, System, User, read_turns

if TYPE_CHECKING:
    from ag_ui.core import RunAgentInput

    from ..port import SourceContext

Row = dict[str, Any]


def to_ag_ui(messages: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the messages as AG-UI rows: calls as ``toolCalls``, each result as a ``tool`` row. Reasoning is left out.

    A message of several rounds becomes as many rows; the first keeps its id.
    """
    rows: list[Row] = []
    ids: set[str] = set()
    for turn in read_turns(messages):
        row_id = _unique(turn.message_id or f"message-{len(rows) + 1}", ids)
        if isinstance(turn, System):
            rows.append({"id": row_id, "role": "system", "content": turn.text})
        elif isinstance(turn, User):
            rows.append({"id": row_id, "role": "user", "content": _content(turn.parts)})
        else:
            rows += _round(turn, row_id, ids)
    return rows


def run_input(messages: Sequence[Mapping[str, Any]], context: SourceContext) -> RunAgentInput:
    """Return the input of a run for an agent's ``run(RunAgentInput)``. Needs the package ag-ui-protocol."""
    from ag_ui.core import RunAgentInput

    given: Row = {
        "threadId": context.thread_id,
        "runId": context.run_id,
        "messages": to_ag_ui(messages),
        "state": context.data.get("state", {}),
        "tools": _rows(context.data.get("tools")),
        "context": _rows(context.data.get("context")),
        "forwardedProps": context.data.get("forwardedProps", {}),
    }
    if context.parent_run_id is not None:
        given["parentRunId"] = context.parent_run_id
    if context.resume and "resume" in RunAgentInput.model_fields:
        given["resume"] = [dict(answer) for answer in context.resume]
    return RunAgentInput.model_validate(given)


def _round(turn: Round, row_id: str, ids: set[str]) -> list[Row]:
    row: Row = {"id": row_id, "role": "assistant"}
    if turn.text:
        row["content"] = turn.text
    if turn.calls:
        row["toolCalls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    rows = [row]
    for call in turn.calls:
        result: Row = {"id": _unique(f"{row_id}-{call.id}", ids), "role": "tool", "toolCallId": call.id}
        rows.append({**result, "content": call.result_text(), **({"error": call.result_text()} if call.failed else {})})
    return rows


def _content(parts: Sequence[Part]) -> str | list[Row]:
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [{"type": "text", "text": part.text} if isinstance(part, Text) else _media(part) for part in parts]


def _media(part: Attachment) -> Row:
    if part.data is None and part.url is None:
        return {"type": "text", "text": part.note()}
    inline = part.data is not None
    source = {"type": "data" if inline else "url", "value": part.data if inline else part.url, "mimeType": part.mime}
    return {"type": part.kind, "source": source}


def _unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add(name)
    return name


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
