"""What a user waits for, on the embedded log: python -m benchmarks.latency [FOLDER]

* send to 202, against one bare append of the same bytes;
* a chunk yielded by the source to its frame at a reader, against one bare append;
* an append in this process to a follower in another one.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from lambda_asgi import Background
from resumable_chat import ResumableChat, SqliteLog
from resumable_chat.protocol.records import NewRecord
from resumable_chat.protocol.submission import Submission

from .table import quantile, show

ROUNDS = 200

_FOLLOWER = """
import asyncio, sys, time
from contextlib import aclosing
from resumable_chat import SqliteLog

async def main():
    log = SqliteLog(sys.argv[1])
    count = 0
    async with aclosing(log.follow("far", 0)) as batches:
        print("ready", flush=True)
        async for records in batches:
            now = time.time_ns()
            for record in records:
                print(now - int(record.body), flush=True)
                count += 1
            if count >= int(sys.argv[2]):
                break
    await log.close()

asyncio.run(main())
"""


def user(index: int) -> dict[str, Any]:
    return {"id": f"u{index}", "role": "user", "parts": [{"type": "text", "content": "A question of usual length?"}]}


async def bare_appends(log: SqliteLog) -> list[float]:
    records = Submission([user(0)], "r").body(new_chat=True, known=None).records
    samples = []
    for index in range(ROUNDS):
        began = time.perf_counter()
        await log.append(f"bare-{index}", records)
        samples.append(time.perf_counter() - began)
    return samples


async def sends(chat: ResumableChat) -> list[float]:
    async def source(messages: Any, context: Any) -> AsyncIterator[Any]:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "ok"}

    background, samples = Background(), []
    for index in range(ROUNDS):
        began = time.perf_counter()
        response = await chat.make_session_response(
            f"send-{index}", messages=[user(index)], source=source, wait_until=background.wait_until, run_id="r"
        )
        samples.append(time.perf_counter() - began)
        assert response.status_code == 202
        await background.drain(10)
    return samples


async def deliveries(chat: ResumableChat) -> list[float]:
    yielded: dict[str, float] = {}
    samples: list[float] = []

    async def source(messages: Any, context: Any) -> AsyncIterator[Any]:
        for index in range(ROUNDS):
            await asyncio.sleep(0.02)
            yielded[f"<{index}>"] = time.perf_counter()
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"<{index}>"}

    background = Background()
    await chat.make_session_response("live", messages=[user(0)], source=source, wait_until=background.wait_until)
    body: Any = (await chat.replay("live")).body_iterator  # type: ignore[attr-defined]
    async with aclosing(body):
        async for part in body:
            now = time.perf_counter()
            for text in [text for text in yielded if text.encode() in part]:
                samples.append(now - yielded.pop(text))  # noqa: PERF401 - it changes `yielded`
            if b"RUN_FINISHED" in part:
                break
    await background.drain(10)
    return samples


async def other_process(log: SqliteLog) -> list[float]:
    follower = subprocess.Popen(  # noqa: ASYNC220 - started once, before anything is measured
        [sys.executable, "-c", _FOLLOWER, str(log.path), str(ROUNDS)], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    await asyncio.to_thread(follower.stdout.readline)
    for _ in range(ROUNDS):
        await log.append("far", [NewRecord(str(time.time_ns()).encode())])
        await asyncio.sleep(0.013)
    samples = [int(line) / 1e9 for line in await asyncio.to_thread(follower.stdout.readlines)]
    follower.wait()
    return samples


async def measure(folder: Path) -> None:
    log = SqliteLog(folder / "bench.db")
    chat = ResumableChat(log)
    bare = await bare_appends(log)
    results = {
        "one bare append, durable": bare,
        "send to 202": await sends(chat),
        "chunk yielded to chunk delivered": await deliveries(chat),
        "append to a follower in another process": await other_process(log),
    }
    baseline = quantile(bare, 0.5)
    show(
        f"Latency on the embedded log, {ROUNDS} each",
        ["", "median, ms", "p99, ms", "median / append"],
        [
            (
                name,
                f"{quantile(samples, 0.5) * 1000:.2f}",
                f"{quantile(samples, 0.99) * 1000:.2f}",
                f"{quantile(samples, 0.5) / baseline:.1f}",
            )
            for name, samples in results.items()
        ],
    )
    await chat.close()


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
