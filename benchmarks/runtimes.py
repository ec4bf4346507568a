"""Ways to serve an app on Lambda under one host: lambda_asgi, AWS's runtime, Mangum, the Web Adapter.

The adapter takes part if LAMBDA_ADAPTER names its binary.

`python -m benchmarks.runtimes`. Rounds alternate, so that all see the same machine. The host passes bytes on in Python
and takes a share of the second core; what it shows is how the ways compare, not what Lambda's network does.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

import lambda_asgi
from lambda_asgi.testing import Function, LambdaHost, Route

from .table import show

ROUNDS = int(os.environ.get("ROUNDS", "9"))
ROOT = Path(__file__).parent.parent
WRAPPER = Path(lambda_asgi.__file__).parent / "exec-wrapper"
ADAPTER = os.environ.get("LAMBDA_ADAPTER")


@dataclass(frozen=True)
class Way:
    """One way: its name, the command that Lambda would execute, whether it streams, and its variables."""

    name: str
    command: list[str]
    streams: bool
    environ: dict[str, str]


@dataclass
class Measured:
    """Seconds of init, of a small answer, to the first byte and of the whole of 20 MB; bytes of it; MB of memory."""

    init: float
    small: float
    first: float | None
    whole: float | None
    size: int
    memory: float


def ways(folder: Path) -> list[Way]:
    """Return the ways that can run here."""
    native = [sys.executable, "-m", "awslambdaric"]
    found = [
        Way("lambda_asgi", [str(WRAPPER), sys.executable], True, {"LAMBDA_ASGI_RESPONSE_MODE": "streaming"}),
        Way("awslambdaric + Mangum", [*native, "benchmarks.apps.behind_mangum.handler"], False, {}),
        Way("awslambdaric, no ASGI", [*native, "benchmarks.apps.plain.handler"], False, {}),
    ]
    if ADAPTER is not None:
        both = folder / "bootstrap"
        server = f"{sys.executable} -m uvicorn --log-level warning --port 8765 benchmarks.apps.streaming:app"
        both.write_text(f"#!/bin/sh\n{shutil.which(ADAPTER)} &\nexec {server}\n")
        both.chmod(0o755)
        environ = {
            "AWS_LWA_PORT": "8765",
            "AWS_LWA_INVOKE_MODE": "response_stream",
            "AWS_LWA_READINESS_CHECK_PATH": "/",
        }
        found.append(Way("Lambda Web Adapter + uvicorn", [str(both)], True, environ))
    return found


async def measure(way: Way) -> Measured:
    """Start an environment, and ask it for a small and a large answer."""
    environ = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "AWS_LAMBDA_LOG_FORMAT": "JSON", **way.environ}
    function = Function("app", "benchmarks.apps.streaming.handler", ROOT, way.command, environ, unnamed_answers=True)
    routes = [Route("GET", path, "app", way.streams) for path in ("/small", "/large")]
    async with (
        LambdaHost([function], routes) as host,
        httpx.AsyncClient(base_url=host.url, timeout=60) as client,
    ):
        (await client.get("/small")).raise_for_status()
        await host.at_rest("app")
        [environment] = host.environments("app")
        began = time.perf_counter()
        (await client.get("/small")).raise_for_status()
        small = time.perf_counter() - began
        await host.at_rest("app")
        memory = peak_memory(environment.pid)
        began, first, size = time.perf_counter(), None, 0
        async with client.stream("GET", "/large") as response:
            async for part in response.aiter_raw():
                if response.status_code == 200 and first is None:
                    first = time.perf_counter() - began
                size += len(part)
        whole = time.perf_counter() - began if first is not None else None
        return Measured(environment.init_seconds, small, first, whole, size, memory)


def peak_memory(group: int) -> float:
    """Return the MB that the processes of a group had in memory at most, together."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getpgid(int(status.parent.name)) == group:
                total += int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])
        except (OSError, IndexError):  # it has just ended, or is a kernel's thread
            continue
    return total / 1024


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        found: dict[str, list[Measured]] = defaultdict(list)
        for _ in range(ROUNDS):
            for way in ways(Path(name)):
                found[way.name].append(await measure(way))
    rows = []
    for name, measured in found.items():
        whole = [each.whole for each in measured if each.whole is not None]
        first = [each.first for each in measured if each.first is not None]
        rows.append(
            [
                name,
                f"{median(each.init for each in measured) * 1000:.0f}",
                f"{median(each.small for each in measured) * 1000:.1f}",
                f"{median(each.memory for each in measured):.0f}",
                f"{median(first) * 1000:.1f}" if first else "refused",
                f"{measured[0].size / median(whole) / 1e6:.0f}" if whole else "over 6 MB",
            ]
        )
    show(
        f"Ways to serve an app, medians of {ROUNDS}",
        ["way", "init, ms", "warm answer, ms", "peak MB", "first byte of 20 MB, ms", "MB/s"],
        rows,
    )


if __name__ == "__main__":
    asyncio.run(main())
