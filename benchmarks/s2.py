"""Replays and latencies on S2 Lite: python scripts/with_s2_lite.py .venv/bin/python -m benchmarks.s2

* cold and warm replay of a chat of 1,000 turns, as the plain log format stores it (209 records a turn) and as our own
  writer leaves it, against reading the same records through the SDK alone;
* send to 202, send to RUN_STARTED at a reader, chunk yielded to chunk delivered, against one bare append;
* how many appends an answer costs, by how far apart its chunks come;
* a thousand readers of one chat in one process: memory for each, and when the last of them has a chunk.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from s2_sdk import S2, BasinConfig, Endpoints, ReadLimit, SeqNum

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.log.s2 import S2Log
from resumable_chat.protocol.chunks import encode
from resumable_chat.protocol.records import NewRecord, fence

from .table import quantile, show

TURNS = int(os.environ.get("TURNS", "1000"))
DELTAS = 200
ROUNDS = 200
READERS = 1000
ENDPOINT = os.environ.get("S2_TEST_ENDPOINT", "")


def user(index: int) -> dict[str, Any]:
    return {"id": f"u{index}", "role": "user", "parts": [{"type": "text", "content": "A question of usual length?"}]}


def plain_turn(turn: int) -> list[NewRecord]:
    """One turn as the plain format has it: no keys, no turn record, deltas unmerged; 209 records."""
    question, answer, run = f"u{turn}", f"a{turn}", f"r{turn}"
    chunks: list[dict[str, Any]] = [
        {"type": "TEXT_MESSAGE_START", "messageId": question, "role": "user"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": question, "delta": "A question of usual length?"},
        {"type": "TEXT_MESSAGE_END", "messageId": question},
        {"type": "RUN_STARTED", "runId": run},
        {"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": f"word {n} "} for n in range(DELTAS)),
        {"type": "TEXT_MESSAGE_END", "messageId": answer},
        {"type": "RUN_FINISHED", "runId": run},
    ]
    return [fence(f"session-{turn:08}"), *(NewRecord(encode(chunk)) for chunk in chunks), fence(f"end-{turn:04}")]


async def fill_plain(log: S2Log) -> None:
    for turn in range(0, TURNS, 4):
        await log.append("plain", [record for at in range(turn, turn + 4) for record in plain_turn(at)])


async def fill_ours(log: S2Log) -> None:
    async def source(messages: Any, context: Any) -> AsyncIterator[Any]:
        for n in range(DELTAS):
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"word {n} "}
            await asyncio.sleep(0)

    chat = ResumableChat(log)
    for turn in range(TURNS):
        response = await chat.make_session_response("ours", messages=[user(turn)], source=source, run_id=f"r{turn}")
        assert response.status_code == 202


async def sdk_alone(basin: str, stream: str) -> tuple[float, int]:
    async with S2("ignored", endpoints=Endpoints(ENDPOINT, ENDPOINT)) as client:
        began = time.perf_counter()
        count = 0
        session = client.basin(basin).stream(stream).read_session(start=SeqNum(0), limit=ReadLimit(count=10**9))
        async for batch in session:
            count += len(batch.records)
        return time.perf_counter() - began, count


async def replay(chat: ResumableChat, stream: str) -> float:
    began = time.perf_counter()
    size = 0
    body: Any = (await chat.replay(stream, live=False)).body_iterator  # type: ignore[attr-defined]
    async for part in body:
        size += len(part)
    assert size > TURNS * DELTAS * 5
    return time.perf_counter() - began


async def replays(basin: str, log: S2Log) -> None:
    await fill_plain(log)
    await fill_ours(log)
    rows = []
    for stream, name in (("plain", "plain format, unmerged"), ("ours", "as our writer leaves it")):
        alone, count = min([await sdk_alone(basin, stream) for _ in range(3)])
        colds, warms = [], []
        for _ in range(3):
            fresh = log_of(basin)
            chat = ResumableChat(fresh)
            colds.append(await replay(chat, stream))
            warms.append(await replay(chat, stream))
            await chat.close()
        cold, warm = min(colds), min(warms)
        rows.append((name, f"{count:,}", f"{alone:.3f}", f"{cold:.3f}", f"{cold / alone:.1f}", f"{warm * 1000:.1f}"))
    columns = ["log", "records", "SDK alone, s", "cold replay, s", "cold / SDK", "warm replay, ms"]
    show(f"Replay of {TURNS:,} turns on S2 Lite", columns, rows)


async def latencies(log: S2Log) -> None:
    chat, background = ResumableChat(log), Background()
    bare: list[float] = []
    accepted: list[float] = []
    accepted_again: list[float] = []
    started: list[float] = []
    delivered: list[float] = []
    for index in range(ROUNDS):
        began = time.perf_counter()
        await log.append(f"bare-{index % 20}", [NewRecord(b"x" * 300)])
        bare.append(time.perf_counter() - began)

    async def short(messages: Any, context: Any) -> AsyncIterator[Any]:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "ok"}

    for index in range(ROUNDS):
        for samples, stream in ((accepted, f"new-{index}"), (accepted_again, f"new-{index}")):
            began = time.perf_counter()
            response = await ResumableChat(log).make_session_response(
                stream, messages=[user(index)], source=short, wait_until=background.wait_until
            )
            samples.append(time.perf_counter() - began)
            assert response.status_code == 202
            await background.drain(10)

    body: Any = (await chat.replay("started")).body_iterator  # type: ignore[attr-defined]
    async with aclosing(body):
        assert await anext(body)
        for index in range(ROUNDS // 4):
            began = time.perf_counter()
            await chat.make_session_response(
                "started", messages=[user(index)], source=short, wait_until=background.wait_until
            )
            while b"RUN_STARTED" not in await anext(body):
                pass
            started.append(time.perf_counter() - began)
            await background.drain(10)
            await asyncio.sleep(0.02)

    yielded: dict[str, float] = {}

    async def steady(messages: Any, context: Any) -> AsyncIterator[Any]:
        for index in range(ROUNDS):
            await asyncio.sleep(0.01)
            yielded[f"<{index}>"] = time.perf_counter()
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"<{index}>"}

    await chat.make_session_response("live", messages=[user(0)], source=steady, wait_until=background.wait_until)
    body = (await chat.replay("live")).body_iterator  # type: ignore[attr-defined]
    async with aclosing(body):
        async for part in body:
            now = time.perf_counter()
            delivered += [now - yielded.pop(text) for text in list(yielded) if text.encode() in part]
            if b"RUN_FINISHED" in part:
                break
    await background.drain(10)
    baseline = quantile(bare, 0.5)
    show(
        "Latency on S2 Lite",
        ["", "median, ms", "p95, ms", "median / append"],
        [
            (
                name,
                f"{quantile(samples, 0.5) * 1000:.1f}",
                f"{quantile(samples, 0.95) * 1000:.1f}",
                f"{quantile(samples, 0.5) / baseline:.1f}",
            )
            for name, samples in (
                ("one bare append", bare),
                ("send to 202, new chat", accepted),
                ("send to 202, existing chat, cold process", accepted_again),
                ("send to RUN_STARTED at a reader", started),
                ("chunk yielded to chunk delivered, 10 ms apart", delivered),
            )
        ],
    )


class Counting(S2Log):
    """Counts batches, however they are appended."""

    appends = 0

    async def append(self, *args: Any, **options: Any) -> Any:
        self.appends += 1
        return await super().append(*args, **options)

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[Any]:
        async with super().append_session(stream) as session:
            submit: Any = session.submit

            async def counted(*args: Any, **options: Any) -> Any:
                self.appends += 1
                return await submit(*args, **options)

            session.submit = counted  # type: ignore[method-assign]
            yield session


async def appends(basin: str) -> None:
    rows = []
    for gap in (0.0, 0.002, 0.01, 0.03):
        log = Counting(access_token="ignored", basin=basin, endpoints=(ENDPOINT, ENDPOINT))  # noqa: S106

        async def source(messages: Any, context: Any, gap: float = gap) -> AsyncIterator[Any]:
            for n in range(DELTAS):
                yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"word {n} "}
                await asyncio.sleep(gap)

        stream = f"appends-{gap}"
        await ResumableChat(log).make_session_response(stream, messages=[user(0)], source=source)
        records = (await log.tail(stream)).seq_num
        rows.append((f"{gap * 1000:g}", DELTAS, log.appends, f"{DELTAS / log.appends:.1f}", records))
        await log.close()
    columns = ["ms between chunks", "chunks", "appends", "chunks / append", "records"]
    show("Appends for one answer, claim and end included", columns, rows)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def subscribers(log: S2Log) -> None:
    rows = []
    for count in (1, READERS):
        chat, background = ResumableChat(log), Background()
        stream = f"readers-{count}"
        yielded: dict[bytes, float] = {}
        ready = asyncio.Event()

        async def source(
            messages: Any, context: Any, yielded: dict[bytes, float] = yielded, ready: asyncio.Event = ready
        ) -> AsyncIterator[Any]:
            await ready.wait()
            for n in range(50):
                await asyncio.sleep(0.1)
                yielded[f"<{n}>".encode()] = time.perf_counter()
                yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": f"<{n}>"}

        delivered: list[float] = []

        async def read(body: Any, yielded: dict[bytes, float] = yielded, delivered: list[float] = delivered) -> None:
            seen = 0
            async with aclosing(body):
                async for part in body:
                    now = time.perf_counter()
                    while (mark := f"<{seen}>".encode()) in yielded and mark in part:
                        delivered.append(now - yielded[mark])
                        seen += 1
                    if b"RUN_FINISHED" in part:
                        return

        await chat.make_session_response(stream, messages=[user(0)], source=source, wait_until=background.wait_until)
        gc.collect()
        before = resident_bytes()
        bodies: list[Any] = [(await chat.replay(stream)).body_iterator for _ in range(count)]  # type: ignore[attr-defined]
        readers = [asyncio.create_task(read(body)) for body in bodies]
        await asyncio.sleep(1)
        memory = (resident_bytes() - before) / count
        ready.set()
        await asyncio.gather(*readers)
        await background.drain(10)
        assert len(delivered) == 50 * count
        rows.append(
            (
                f"{count:,}",
                f"{memory / 1024:.1f}" if count > 1 else "",
                f"{quantile(delivered, 0.5) * 1000:.1f}",
                f"{quantile(delivered, 0.99) * 1000:.1f}",
            )
        )
    columns = ["readers", "KiB each", "yielded to delivered, median, ms", "p99, ms"]
    show("Readers of one chat in one process, chunks 100 ms apart", columns, rows)


def log_of(basin: str) -> S2Log:
    return S2Log(access_token="ignored", basin=basin, endpoints=(ENDPOINT, ENDPOINT))  # noqa: S106 - S2 Lite has none


async def main() -> None:
    if not ENDPOINT:
        sys.exit(__doc__)
    basin = f"bench-{uuid.uuid4().hex[:16]}"
    async with S2("ignored", endpoints=Endpoints(ENDPOINT, ENDPOINT)) as client:
        config = BasinConfig(create_stream_on_append=True, create_stream_on_read=True)
        await client.create_basin(basin, config=config)
    log = log_of(basin)
    await latencies(log)
    await appends(basin)
    await subscribers(log)
    await replays(basin, log)
    await log.close()


if __name__ == "__main__":
    asyncio.run(main())
