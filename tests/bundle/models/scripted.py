"""A model for the functions under test, which does what the last message says, command by command.

``say 20 every 0.1`` yields 20 words, that many seconds apart; ``await go`` waits until the test opens the gate ``go``:
a file of that name in the folder SCRIPT_GATES.
"""

import asyncio
import os
import re
from itertools import count
from pathlib import Path

GATE_SECONDS = 60


async def answer(messages, context):
    asked = " ".join(part.get("content", "") for part in messages[-1]["parts"])
    numbers = count()
    for words, pause, gate in re.findall(r"say (\d+) every ([\d.]+)|await (\w+)", asked):
        if gate:
            await opened(gate)
            continue
        for _ in range(int(words)):
            delta = f"w{next(numbers)} "
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": delta}
            await asyncio.sleep(float(pause))


async def opened(gate):
    async with asyncio.timeout(GATE_SECONDS):
        while not (Path(os.environ["SCRIPT_GATES"]) / gate).exists():
            await asyncio.sleep(0.02)
