"""A model for the functions under test: ``say 20 every 0.1`` makes it yield 20 words, that many seconds apart."""

import asyncio
import re


async def answer(messages, context):
    asked = " ".join(part.get("content", "") for part in messages[-1]["parts"])
    count, pause = re.search(r"say (\d+) every ([\d.]+)", asked).groups()
    for index in range(int(count)):
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"w{index} "}
        await asyncio.sleep(float(pause))
