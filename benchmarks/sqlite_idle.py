"""Measure what idle chats cost beside one that runs, on the embedded log: python -m benchmarks.sqlite_idle [FOLDER]

One chat gets 20 chunks a second. The CPU time of the process that holds the idle chats is compared with the same
seconds without any idle chat, in one run:

* followed: the log's own followers, in the process that appends;
* open: whole chats with a reader each, in the process that appends;
* elsewhere: the log's followers in a process that appends nothing.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from resumable_chat import ResumableChat, SqliteLog
from resumable_chat.protocol.records import NewRecord

from .table import show

CHATS = 300
PER_SECOND = 20
SECONDS = 10.0

Idle = Callable[[SqliteLog], Any]


async def drain(batches: Any) -> None:
    async with aclosing(batches):
        async for _ in batches:
            pass


@asynccontextmanager
async def running(*tasks: asyncio.Task[None]) -> AsyncIterator[None]:
    """Keep the tasks while the block runs, once they have had a second to settle."""
    try:
        await asyncio.sleep(1)
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def nothing(log: SqliteLog) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def followed(log: SqliteLog) -> AsyncIterator[None]:
    async with running(*(asyncio.create_task(drain(log.follow(f"idle-{index}", 0))) for index in range(CHATS))):
        yield


@asynccontextmanager
async def opened(log: SqliteLog) -> AsyncIterator[None]:
    chat = ResumableChat(log)
    bodies: list[Any] = [(await chat.replay(f"idle-{index}")).body_iterator for index in range(CHATS)]  # type: ignore[attr-defined]
    async with running(*(asyncio.create_task(drain(body)) for body in bodies)):
        yield


async def write(log: SqliteLog, seconds: float) -> None:
    """Append to one chat, PER_SECOND times a second."""
    began = time.monotonic()
    for index in range(int(seconds * PER_SECOND)):
        await asyncio.sleep(began + index / PER_SECOND - time.monotonic())
        await log.append("live", [NewRecord(b'{"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"word "}')])


async def elsewhere(path: Path) -> Awaitable[int]:
    """Start a process that appends as ``write`` does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.sqlite_idle", "--write", str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process.wait()


async def share(path: Path, idle: Idle, *, here: bool = True, active: bool = True) -> float:
    """Return this process's CPU time over the wall time, while one chat runs beside ``idle``."""
    log = SqliteLog(path)
    for index in range(CHATS):
        await log.append(f"idle-{index}", [NewRecord(b'{"type":"RUN_STARTED"}')])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(idle(log))
        await stack.enter_async_context(running(asyncio.create_task(drain(log.follow("live", 0)))))
        writing = write(log, SECONDS) if here and active else None
        other = await elsewhere(path) if not here and active else None
        wall, cpu = time.monotonic(), time.process_time()
        await (writing or other or asyncio.sleep(SECONDS))
        result = (time.process_time() - cpu) / (time.monotonic() - wall)
    await log.close()
    return result


async def measure(folder: Path) -> None:
    rows = []
    cases: list[tuple[str, Idle, bool]] = [
        ("followed, in the process that appends", followed, True),
        ("open, in the process that appends", opened, True),
        ("followed, in another process", followed, False),
    ]
    for number, (name, idle, here) in enumerate(cases):
        path = folder / f"{number}.db"
        alone, beside = await share(path, nothing, here=here), await share(path, idle, here=here)
        quiet = await share(path, idle, active=False)
        rows.append((name, *(f"{value:.1%}" for value in (alone, beside, beside - alone, quiet))))
    show(
        f"CPU of one core, {CHATS} idle chats beside one with {PER_SECOND} chunks a second",
        ["", "running chat alone", "with the idle ones", "they add", "only idle ones"],
        rows,
    )


async def main_of_writer(path: Path) -> None:
    log = SqliteLog(path)
    await log.tail("live")
    print("ready", flush=True)
    await write(log, SECONDS)
    await log.close()


def main() -> None:
    if sys.argv[1:2] == ["--write"]:
        asyncio.run(main_of_writer(Path(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
