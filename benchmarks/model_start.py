"""Cold starts of send with each kind of model: when the 202 comes, and when the answer begins.

`make bench-lambda`, or `python -m benchmarks.model_start`. A model's library is imported behind the 202, so the 202
must come as soon as with the demo. Bedrock is an endpoint on loopback that answers at once. The function has a whole
core, and then, where this may set a CPU quota (as root, cgroup v1 or v2), the 0.29 of a core that Lambda gives 512 MB.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final

from lambda_asgi.testing import Function, LambdaHost, gateway
from resumable_chat import SqliteLog
from tests.bundle.artefact import ROOT, layer
from tests.bundle.deployment import functions
from tests.sources.bedrock_server import Exchange, bedrock_server

from .table import show

ROUNDS: Final = int(os.environ.get("ROUNDS", "7"))
SHARE: Final = 0.29
"""Of a core, at 512 MB: Lambda gives a whole one at 1,769 MB."""

_PERIOD_US: Final = 20_000
_BOTO3: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_ANSWER: Final = frozenset({"TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT", "TOOL_CALL_START"})
_MODEL: Final = "amazon.nova-lite-v1:0"


async def answer(exchange: Exchange) -> None:
    """Answer as Bedrock does, at once."""
    await exchange.open()
    await exchange.event("messageStart", role="assistant")
    await exchange.text("Hel", "lo")
    await exchange.stop()
    await exchange.close()


def runtime_packages(folder: Path) -> Path:
    """Return a folder with what Lambda's Python has: boto3 and what it needs."""
    for name in _BOTO3:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None, name
        origin = Path(spec.origin)
        found = origin.parent if origin.name == "__init__.py" else origin
        (folder / found.name).symlink_to(found)
    return folder


def variants(folder: Path, log: Path, endpoint: str) -> dict[str, Function]:
    """Return send with each model, on the layer, with the packages that the model needs."""
    packages = runtime_packages(folder)
    pydantic_ai = find_spec("pydantic_ai")
    assert pydantic_ai is not None and pydantic_ai.origin is not None, "make .venv/.dev installs pydantic-ai"
    agents = Path(pydantic_ai.origin).parent.parent
    shared = {
        "CHAT_AUTH": "none",
        "CHAT_LOG": f"sqlite:///{log}",
        "CHAT_SOURCE": "",
        "PYTHONDONTWRITEBYTECODE": "",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": endpoint,
    }
    settings = {
        "demo": ({"CHAT_MODEL": "demo"}, [packages]),
        "Bedrock": ({"CHAT_MODEL": f"bedrock:{_MODEL}"}, [packages]),
        "agent on Bedrock": (
            {"CHAT_SOURCE": "examples.pydantic_ai.agent:agent", "AGENT_MODEL": f"bedrock:{_MODEL}"},
            [packages, agents, ROOT],
        ),
    }
    found = {}
    for name, (environ, paths) in settings.items():
        path = ":".join(map(str, [layer() / "python", *paths]))
        found[name] = functions({**shared, **environ, "PYTHONPATH": path})[0]
    return found


async def first_chunk(log: SqliteLog, chat: str) -> float:
    """Return the time at which the answer's first chunk is in the log."""
    started = False
    async for records in log.follow(chat, 0):
        now = time.perf_counter()
        for record in records:
            kind = json.loads(record.body).get("type") if record.body.startswith(b"{") else None
            started = started or kind == "RUN_STARTED"
            if started and kind in _ANSWER:
                return now
    raise AssertionError("the log ended")


async def start(function: Function, log: Path, chat: str) -> tuple[float, float]:
    """Start a function for one send; return the seconds until the 202, and until the answer's first chunk."""
    body = json.dumps({"id": chat, "messages": [{"id": "u", "role": "user", "content": "hi"}]}).encode()
    headers = [("content-type", "application/json"), ("host", "localhost")]
    event = gateway.event("rest", "POST", "/api/chat", headers, body, None)
    reader = SqliteLog(log)
    try:
        async with LambdaHost([function]) as host:
            following = asyncio.create_task(first_chunk(reader, chat))
            began = time.perf_counter()
            payload = await (await host.invoke(function.name, event)).payload()
            accepted = time.perf_counter() - began
            assert json.loads(payload).get("statusCode") == 202, payload
            async with asyncio.timeout(60):
                return accepted, await following - began
    finally:
        await reader.close()


@contextmanager
def quota(share: float) -> Iterator[Path | None]:
    """Make a control group with a share of a core: its file of processes, None if that is not allowed here."""
    v1 = Path("/sys/fs/cgroup/cpu")
    group = (v1 if v1.is_dir() else Path("/sys/fs/cgroup")) / f"chat-bench-{os.getpid()}"
    limit = int(share * _PERIOD_US)
    try:
        group.mkdir()
        if v1.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(limit))
        else:
            (group / "cpu.max").write_text(f"{limit} {_PERIOD_US}")
    except OSError as error:
        print(f"\nWithout a CPU quota: {error}. It takes root, and a control group of processors.")
        if group.is_dir():
            group.rmdir()
        yield None
        return
    try:
        yield group / "cgroup.procs"
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:  # the last function is still ending
                time.sleep(0.1)


def limited(function: Function, processes: Path | None) -> Function:
    """Return the function as a process of a control group."""
    if processes is None:
        return function
    command = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(processes), *function.command]
    return replace(function, command=command)


async def measure(made: Mapping[str, Function], log: Path) -> dict[str, list[tuple[float, float]]]:
    """Start each in turn, so that all see the same machine; the first round is not counted."""
    taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in range(ROUNDS + 1):
        for name, function in made.items():
            seconds = await start(function, log, f"c-{time.time_ns()}")
            if number:
                taken[name].append(seconds)
    return taken


def rows(taken: Mapping[str, list[tuple[float, float]]], share: str) -> list[list[Any]]:
    columns = {name: [median(column) for column in zip(*found, strict=True)] for name, found in taken.items()}
    return [
        [name, share, *(f"{seconds * 1000:,.0f}" for seconds in found), f"{found[0] / columns['demo'][0]:.2f}"]
        for name, found in columns.items()
    ]


async def main() -> None:
    table = []
    with tempfile.TemporaryDirectory() as name, quota(SHARE) as processes:
        folder, log = Path(name) / "packages", Path(name) / "chat.db"
        folder.mkdir()
        async with bedrock_server(answer) as served:
            made = variants(folder, log, served.endpoint_url)
            table += rows(await measure(made, log), "1")
            if processes is not None:
                slow = {each: limited(function, processes) for each, function in made.items()}
                table += rows(await measure(slow, log), str(SHARE))
    show(
        f"Cold starts of send, medians of {ROUNDS}",
        ["model", "cores", "202, ms", "first chunk, ms", "202 ratio to the demo"],
        table,
    )


if __name__ == "__main__":
    asyncio.run(main())
