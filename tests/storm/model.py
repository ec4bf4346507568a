"""The storm's model: words with numbers, at a pace that the message asks for. Writes down that it was asked."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from resumable_chat import SourceContext


async def answer(messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[dict[str, Any]]:
    line = json.dumps({"op": "called", "run": context.run_id, "at": time.time()}) + "\n"
    with Path(os.environ["STORM_CALLS"]).open("a") as calls:
        calls.write(line)
    random = Random(context.run_id)
    pause = random.choice([0.0, 0.005, 0.05])
    for index in range(random.randint(1, 120)):
        yield {
            "type": "TEXT_MESSAGE_CONTENT",
            "messageId": context.message_id,
            "delta": f"{context.run_id}.{index} ",
        }
        await asyncio.sleep(pause)
        if random.random() < 0.01:
            await asyncio.sleep(random.uniform(1, 4))
    if random.random() < 0.1:
        raise RuntimeError("the storm's model fails now and then")
