"""Events in no good order, as broken models and other writers leave them in a log.

``python -m tests.clients.odd LOG NUMBER`` writes chats ``odd-0``, ``odd-1``, … as another implementation might.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resumable_chat import SqliteLog
from resumable_chat.protocol.records import NewRecord, fence

_VALUES: list[Any] = [None, 0, -1.5, True, "", "x", "\ud83d", "é😀\u2028", [], {}, [1], {"a": {"b": [None]}}, "9" * 400]


def odd_chunks(chance: random.Random, message: str, run: str) -> Iterator[dict[str, Any]]:
    """Yield up to 40 events about this message and run, and about ones that nobody began."""
    ids = [message, f"other-{message}"]
    calls = [f"call-{message}", f"late-{message}"]
    for _ in range(chance.randint(1, 40)):
        chunk = _event(chance, chance.choice(ids), chance.choice(calls), run)
        if chance.random() < 0.15:
            chunk[chance.choice([*chunk, "metadata", "runId", "messageId"])] = chance.choice(_VALUES)
        yield chunk


def _event(chance: random.Random, message: str, call: str, run: str) -> dict[str, Any]:
    text = {"messageId": message, "delta": chance.choice(["a", " b", "\n", "", "ü"])}
    kinds: list[dict[str, Any]] = [
        {"type": "TEXT_MESSAGE_START", "messageId": message, "role": chance.choice(["assistant", "user", "tool"])},
        {"type": "TEXT_MESSAGE_CONTENT", **text},
        {"type": "TEXT_MESSAGE_CONTENT", **text},
        {"type": "TEXT_MESSAGE_END", "messageId": message},
        {"type": "REASONING_MESSAGE_CONTENT", **text},
        {"type": "STEP_STARTED", "stepName": "think"},
        {"type": "STEP_FINISHED", "stepName": "think"},
        {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": "t", "parentMessageId": message},
        {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": chance.choice(['{"a":', "1}", "{"])},
        {"type": "TOOL_CALL_END", "toolCallId": call},
        {"type": "TOOL_CALL_RESULT", "toolCallId": call, "messageId": f"r-{call}", "content": '{"ok":1}'},
        {"type": "CUSTOM", "name": "note", "value": {"at": 1}},
        {"type": "STATE_DELTA", "delta": []},
        {"type": "RAW", "event": {"a": 1}},
        {"type": "SOMETHING_NEW", "value": 1},
        {"type": "RUN_STARTED", "runId": run, "threadId": "t"},
        {"type": "RUN_FINISHED", "runId": run, "threadId": "t", "finishReason": "tool_calls"},
    ]
    return chance.choice(kinds)


async def _write(path: Path, number: int) -> None:
    """Write chats of one user's message and an answer that has ended; every second one without any terminal."""
    log = SqliteLog(path)
    try:
        for seed in range(number):
            chance = random.Random(seed)
            user = f"u-{seed}"
            chunks = [
                {"type": "TEXT_MESSAGE_START", "messageId": user, "role": "user"},
                {"type": "TEXT_MESSAGE_CONTENT", "messageId": user, "delta": "Go"},
                {"type": "TEXT_MESSAGE_END", "messageId": user},
                {"type": "RUN_STARTED", "runId": f"r-{seed}", "threadId": f"odd-{seed}"},
                *odd_chunks(chance, f"a-{seed}", f"r-{seed}"),
                *([{"type": "RUN_FINISHED", "runId": f"r-{seed}", "threadId": f"odd-{seed}"}] if seed % 2 else []),
            ]
            bodies = [json.dumps(chunk).encode() for chunk in chunks]
            if chance.random() < 0.2:
                bodies.insert(chance.randrange(4, len(bodies) + 1), b'{"type":')
            stream = f"odd-{seed}"
            await log.append(stream, [fence("writer-1"), *map(NewRecord, bodies)], fencing_token="")
            await log.append(stream, [fence("end-1" if seed % 3 else "error-1")], fencing_token="writer-1")
    finally:
        await log.close()


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1]), int(sys.argv[2])))
