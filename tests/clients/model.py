"""A model source for tests with published clients, which does what the last message of the user says.

``count N`` answers with the numbers from 1 to N, ``every MS`` milliseconds. ``reason`` thinks first, ``tool`` calls a
tool that the server runs, in a run of its own before the one that answers. ``ask`` calls the client's tool ``where``,
and ``confirm`` asks for an approval; the answer to either is repeated. ``fail after K`` raises after K numbers,
``wait S`` says nothing for S seconds, ``odd SEED`` yields events in no good order.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from resumable_chat.sources.port import Chunk, SourceContext

from .odd import odd_chunks


async def answer(messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Chunk]:
    asked = next((_text(row) for row in reversed(messages) if row["role"] == "user"), "")
    run, message = {"runId": context.run_id, "threadId": context.thread_id}, context.message_id

    def said(delta: str) -> Chunk:
        return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": delta}

    yield {"type": "RUN_STARTED", **run}
    if odd := _number(r"odd (\d+)", asked, 0):
        for chunk in odd_chunks(random.Random(odd), message, context.run_id):
            yield chunk
        return
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    await asyncio.sleep(_number(r"wait (\d+)", asked, 0))
    pause = _number(r"every (\d+)", asked, 2) / 1000
    if "reason" in asked:
        for delta in ("Let me ", "think."):
            yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": f"think-{message}", "delta": delta}
            await asyncio.sleep(pause)
    if context.resume:
        yield said(f"You answered {json.dumps(context.resume, sort_keys=True)}. ")
    elif "confirm" in asked:
        async for chunk in _call("book", message, pause):
            yield chunk
        tool = {"kind": "approval", "toolName": "book", "input": {"precise": True}}
        asks = {
            "id": f"ask-{message}",
            "reason": "approval_required",
            "toolCallId": f"call-{message}",
            "metadata": tool,
        }
        yield {"type": "RUN_FINISHED", **run, "outcome": {"type": "interrupt", "interrupts": [asks]}}
        return
    if "ask" in asked and messages[-1]["role"] == "user":
        async for chunk in _call("where", message, pause):
            yield chunk
        value = {"toolCallId": f"call-{message}", "toolName": "where", "input": {"precise": True}}
        yield {"type": "CUSTOM", "name": "tool-input-available", "value": value}
        yield {"type": "RUN_FINISHED", **run, "finishReason": "tool_calls"}
        return
    if "tool" in asked:
        async for chunk in _call("clock", message, pause):
            yield chunk
        result = {"toolCallId": f"call-{message}", "messageId": f"result-{message}", "content": '{"time":"12:00"}'}
        yield {"type": "TOOL_CALL_RESULT", **result}
        yield {"type": "RUN_FINISHED", **run, "finishReason": "tool_calls"}
        yield {"type": "RUN_STARTED", **run}
    if messages[-1]["role"] == "tool":
        yield said(f"You are {messages[-1].get('content')}. ")
    fail_after = _number(r"fail after (\d+)", asked, -1)
    for number in range(1, _number(r"count (\d+)", asked, 3) + 1):
        if number - 1 == fail_after:
            raise RuntimeError("the test asked for it")
        yield said(f"{number} ")
        await asyncio.sleep(pause)
    yield said(f"of {sum(row['role'] == 'user' for row in messages)}.")
    yield {"type": "TEXT_MESSAGE_END", "messageId": message}
    yield {"type": "RUN_FINISHED", **run, "finishReason": "stop"}


async def _call(name: str, message: str, pause: float) -> AsyncIterator[Chunk]:
    call = f"call-{message}"
    yield {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": name, "parentMessageId": message}
    for delta in ('{"precise":', "true}"):
        yield {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": delta}
        await asyncio.sleep(pause)
    yield {"type": "TOOL_CALL_END", "toolCallId": call}


def _text(row: Mapping[str, Any]) -> str:
    return " ".join(part["content"] for part in row["parts"] if part.get("type") == "text")


def _number(pattern: str, text: str, default: int) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else default
