"""A source without a model or a key: its answers show reasoning, a tool call and Markdown, at reading speed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from .port import Chunk, SourceContext

_LONG = (
    "A chat is one durable log. Every chunk of an answer is a record in it, numbered once and for all. "
    "A reader that was away asks for what came after the last number it saw. "
)
_TABLE = (
    "| part | what it does |\n| --- | --- |\n"
    "| send | stores and runs |\n| replay | reads and follows |\n| stop | ends |\n\n"
)
_CODE = "```python\nasync for chunk in source(messages, context):\n    await log.append(chunk)\n```\n\n"


class DemoSource:
    """Answers by what the last message asks for: ``long``, ``code``, ``table`` and ``fail`` are understood.

    ``delay_s`` is the time between two chunks in seconds.
    """

    def __init__(self, delay_s: float = 0.03) -> None:
        self._delay = delay_s

    async def __call__(self, messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Chunk]:
        asked = _text(messages[-1]) if messages else ""
        answer = context.message_id
        call = f"call-{answer}"
        yield {"type": "RUN_STARTED", "runId": context.run_id, "threadId": context.thread_id}
        yield {"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"}
        yield {"type": "STEP_STARTED", "stepName": f"think-{answer}"}
        for word in _words("The log should be asked first: it knows everything that was said. "):
            yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": f"think-{answer}", "delta": word}
            await asyncio.sleep(self._delay)
        yield {"type": "STEP_FINISHED", "stepName": f"think-{answer}"}
        yield {
            "type": "TOOL_CALL_START",
            "toolCallId": call,
            "toolCallName": "count_words",
            "parentMessageId": answer,
        }
        for piece in _pieces(json.dumps({"text": asked[:200]}), 12):
            yield {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": piece}
            await asyncio.sleep(self._delay)
        yield {"type": "TOOL_CALL_END", "toolCallId": call}
        yield {
            "type": "TOOL_CALL_RESULT",
            "toolCallId": call,
            "messageId": f"result-{answer}",
            "content": json.dumps({"words": len(asked.split())}),
        }
        for index, word in enumerate(_words(_answer(asked))):
            if index == 12 and _asks(asked, "fail"):
                raise RuntimeError("the demo was asked to fail")
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": word}
            await asyncio.sleep(self._delay)
        yield {"type": "TEXT_MESSAGE_END", "messageId": answer}
        yield {
            "type": "RUN_FINISHED",
            "runId": context.run_id,
            "threadId": context.thread_id,
            "finishReason": "stop",
        }


demo_source = DemoSource()


def _answer(asked: str) -> str:
    quoted = " ".join(asked.split())[:200] or "nothing in words"
    count = len(asked.split())
    answer = f"You said **{quoted}**, which is {count} {'word' if count == 1 else 'words'}.\n\n"
    if _asks(asked, "code"):
        answer += _CODE
    if _asks(asked, "table"):
        answer += _TABLE
    if _asks(asked, "long"):
        answer += _LONG * 12
    return answer + "Reload the page while I write, open a second tab, or press stop: *nothing gets lost.*"


def _asks(asked: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", asked, re.IGNORECASE) is not None


def _text(message: Mapping[str, Any]) -> str:
    parts = message.get("parts")
    if not isinstance(parts, list):
        return ""
    return " ".join(
        part["content"]
        for part in parts
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("content"), str)
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
