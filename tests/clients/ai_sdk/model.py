"""The clients' test model, with what only this client can ask for.

``approve`` calls a tool that the user has to approve, and says what became of it. ``note`` sends data for the page.
``see`` says which kinds of parts came with the message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from resumable_chat.sources.port import Chunk, SourceContext

from .. import model

_ASKED = {"reason": "approval_required", "metadata": {"kind": "approval"}}


async def answer(messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Chunk]:
    last, message = messages[-1], context.message_id
    asked = " ".join(part["content"] for row in messages for part in row["parts"] if part["type"] == "text")
    run = {"runId": context.run_id, "threadId": context.thread_id}
    text = {"type": "TEXT_MESSAGE_CONTENT", "messageId": message}
    start = {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    if "note" in asked or "see" in asked:
        yield {"type": "RUN_STARTED", **run}
        yield start
        yield {"type": "CUSTOM", "name": "weather", "value": {"degrees": 21}}
        yield {**text, "delta": " ".join(part["type"] for part in last["parts"])}
    elif "approve" in asked and last["role"] == "user":
        yield {"type": "RUN_STARTED", **run}
        yield start
        call = {"toolCallId": f"call-{message}"}
        yield {"type": "TOOL_CALL_START", **call, "toolCallName": "book", "parentMessageId": message}
        yield {"type": "TOOL_CALL_ARGS", **call, "delta": '{"seats":2}'}
        yield {"type": "TOOL_CALL_END", **call}
        asks = {"id": f"ask-{message}", **call, **_ASKED}
        yield {"type": "RUN_FINISHED", **run, "outcome": {"type": "interrupt", "interrupts": [asks]}}
    elif "approve" in asked:
        (call_part,) = (part for part in last["parts"] if part["type"] == "tool-call")
        approved = call_part["approval"]["approved"]
        yield {"type": "RUN_STARTED", **run}
        yield start
        if approved:
            result = {"toolCallId": call_part["id"], "messageId": f"result-{message}", "content": '{"booked":2}'}
            yield {"type": "TOOL_CALL_RESULT", **result}
        yield {**text, "delta": "Booked." if approved else "Left alone."}
    else:
        async for chunk in model.answer(messages, context):
            yield chunk
