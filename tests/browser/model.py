"""A model source for the browser tests, which does what the last message says.

``count N every MS`` answers with the numbers from 1 to N, one chunk each, so that a test sees whether one is missing
or comes twice. ``fail after K`` raises after K chunks, once per process unless ``always``. ``finish REASON`` ends the
answer with that finish reason. ``images`` lists the images that came along, and ``attack`` answers with what no page
may run. A question about a ``train`` gets the answer of the screenshots.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from resumable_chat.sources.port import Chunk, SourceContext

_failed: set[str] = set()


async def answer(messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Chunk]:
    asked = messages[-1]
    text = " ".join(part["content"] for part in asked["parts"] if part["type"] == "text")
    message = context.message_id

    def said(delta: str) -> Chunk:
        return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": delta}

    if text == "attack":
        yield said(_ATTACK)
        return
    if "train" in text:
        async for chunk in _show(message):
            yield chunk
        return
    count = _number(r"count (\d+)", text, 3)
    pause = _number(r"every (\d+)", text, 5) / 1000
    fail_after = _number(r"fail after (\d+)", text, -1)
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    if "images" in text:
        yield said(f"Images: {json.dumps(_images(messages))}. ")
    for number in range(1, count + 1):
        if number - 1 == fail_after and ("always" in text or context.thread_id not in _failed):
            _failed.add(context.thread_id)
            raise RuntimeError("the test asked for it")
        yield said(f"{number} ")
        await asyncio.sleep(pause)
    yield said(f"of {sum(row['role'] == 'user' for row in messages)}.")
    if found := re.search(r"finish (\w+)", text):
        run = {"id": context.run_id, "outcome": "finished", "finishReason": found[1]}
        yield {"type": "TEXT_MESSAGE_END", "messageId": message, "metadata": {"resumable": {"run": run}}}
        yield {
            "type": "RUN_FINISHED",
            "runId": context.run_id,
            "threadId": context.thread_id,
            "finishReason": found[1],
        }


def _number(pattern: str, text: str, default: int) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else default


def _images(messages: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The type of each image, message by message."""
    return [[part["source"]["mimeType"] for part in row["parts"] if part["type"] == "image"] for row in messages]


async def _show(message: str) -> AsyncIterator[Chunk]:
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    yield {"type": "STEP_STARTED", "stepName": "think"}
    for delta in ("The user wants the fastest route. ", "I should look the departures up first."):
        yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": "think", "delta": delta}
    yield {"type": "STEP_FINISHED", "stepName": "think"}
    call = f"call-{message}"
    yield {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": "find_trains", "parentMessageId": message}
    arguments = json.dumps({"from": "Lyon", "to": "Marseille", "after": "09:00"})
    yield {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": arguments}
    yield {"type": "TOOL_CALL_END", "toolCallId": call}
    result = json.dumps({"trains": [{"no": 6109, "departs": "09:36"}, {"no": 6113, "departs": "10:36"}]})
    yield {"type": "TOOL_CALL_RESULT", "toolCallId": call, "messageId": f"result-{call}", "content": result}
    for delta in re.findall(r"\S+\s*", _SHOWN):
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": delta}
        await asyncio.sleep(0.002)


_ATTACK = """\
<script>window.attacked = 1</script><img src=x onerror="window.attacked = 2"><b>bold</b>

[a link](javascript:window.attacked=3) and ![a picture](https://example.com/picture?what=was+said) and
[another](https://example.com/) <iframe src="https://example.com"></iframe>
"""

_SHOWN = """\
Two trains leave after nine. The **first one is also the fastest**:

| Train | Lyon | Marseille | Takes |
| --- | --- | --- | ---: |
| TGV 6109 | 09:36 | 11:20 | 1 h 44 |
| TGV 6113 | 10:36 | 12:26 | 1 h 50 |

If you want to watch the departures yourself, this is enough:

```python
async for train in departures("Lyon", to="Marseille"):
    if train.departs >= time(9):
        print(train.number, train.departs)
```

Shall I book the one at *09:36*?
"""
