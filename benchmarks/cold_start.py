"""Cold starts of the built functions under AWS's emulator: our runtime against AWS's with the same app behind Mangum.

`make bench-lambda`. Starts alternate, so that both see the same machine.

* init: from the start of the process to its first request for an invocation (under the host, which sees that);
* first response: from the first invocation to its whole response, init included (under the emulator);
* imports: where a start's time goes, by package, from `-X importtime`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from lambda_asgi.testing import Function, LambdaHost, gateway
from tests.bundle.artefact import PYTHON, layer, task_root
from tests.bundle.deployment import MODELS, functions
from tests.bundle.emulator import emulated

from .table import show

ROUNDS = int(os.environ.get("ROUNDS", "15"))
REQUESTS = {
    "send": ("POST", "/api/chat", b'{"id":"c","messages":[{"role":"user","content":"say 0 every 0"}]}'),
    "replay": ("GET", "/api/chat/replay?id=c", b""),
    "stop": ("DELETE", "/api/chat?id=c", b""),
}
NAMES = {True: "lambda_asgi", False: "awslambdaric + Mangum"}


def event(name: str) -> dict[str, Any]:
    method, target, body = REQUESTS[name]
    headers = [("content-type", "application/json"), ("host", "localhost")]
    return gateway.event("rest", method, target, headers, body, {"claims": {"sub": "alice"}})


def aws_runtime(folder: Path) -> Path:
    """AWS's runtime alone, without the environment that it is installed in: on Lambda it is in /var/runtime."""
    for name in ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"):
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None, name
        origin = Path(spec.origin)
        found = origin.parent if origin.name == "__init__.py" else origin
        (folder / found.name).symlink_to(found)
    return folder


def variants(runtime: Path, log: Path) -> list[tuple[str, bool, Function]]:
    """Each function with our runtime and with AWS's."""
    found = []
    # All buffered, as AWS's runtime cannot stream; what runs and what it imports is the same.
    environ = {"CHAT_LOG": f"sqlite:///{log}", "PYTHONPATH": f"{layer() / 'python'}:{MODELS}:{runtime}"}
    for function in functions({**environ, "PYTHONDONTWRITEBYTECODE": ""}):
        made = {**function.environ, "LAMBDA_ASGI_RESPONSE_MODE": "buffered"}
        plain = [str(PYTHON), "-m", "awslambdaric", "app.handler"]
        for ours in (True, False):
            command = function.command if ours else plain
            found.append(
                (function.name, ours, Function(function.name, "app.handler", function.task_root, command, made))
            )
    return found


async def init_seconds(function: Function) -> float:
    async with LambdaHost([function]) as host:
        await (await host.invoke(function.name, event(function.name))).payload()
        return host.environments(function.name)[0].init_seconds


async def first_response_seconds(function: Function, output: Path) -> float:
    async with emulated(function.command, function.task_root, function.environ, output) as emulator:
        began = time.perf_counter()
        payload = await emulator.invoke(event(function.name))
        took = time.perf_counter() - began
        assert b'"statusCode"' in payload, payload
        return took


def imports(name: str) -> dict[str, float]:
    """Milliseconds of a function's imports, by top package, each module's own time."""
    done = subprocess.run(
        [str(PYTHON), "-X", "importtime", "-c", "import lambda_asgi.runtime, app"],
        cwd=task_root(name),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{layer() / 'python'}:."},
        capture_output=True,
        text=True,
        check=True,
    )
    spent: dict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        own, _, module = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            package = module.strip().split(".")[0]
            known = ("fastapi", "pydantic", "pydantic_core", "starlette", "anyio", "asyncio", "typing_extensions")
            ours = ("resumable_chat", "lambda_asgi", "mangum", "h11", "orjson", "httpx", "s2_sdk", "app")
            key = package if package in known + ours else "the rest, mostly Python's own"
            spent[key] += int(own) / 1000
    return spent


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runtime = folder / "runtime"
        runtime.mkdir()
        aws_runtime(runtime)
        measured: dict[tuple[str, bool], list[tuple[float, float]]] = defaultdict(list)
        made = variants(runtime, folder / "chat.db")
        for _ in range(ROUNDS):
            for function_name, ours, function in made:
                seconds = await first_response_seconds(function, folder / "output")
                measured[function_name, ours].append((await init_seconds(function), seconds))
    rows = []
    for function_name in REQUESTS:
        baseline = [median(column) for column in zip(*measured[function_name, False], strict=True)]
        for ours in (False, True):
            init, first = (median(column) for column in zip(*measured[function_name, ours], strict=True))
            rows.append(
                [
                    f"{function_name}, {NAMES[ours]}",
                    f"{init * 1000:.0f}",
                    f"{first * 1000:.0f}",
                    f"{init / baseline[0]:.2f}",
                    f"{first / baseline[1]:.2f}",
                ]
            )
    show(
        f"Cold starts, medians of {ROUNDS}",
        ["function", "init, ms", "first response, ms", "init ratio", "first response ratio"],
        rows,
    )
    spent = {function_name: imports(function_name) for function_name in REQUESTS}
    packages = sorted({package for each in spent.values() for package in each}, key=lambda p: -spent["send"].get(p, 0))
    show(
        "Where the time of a start goes: imports, ms",
        ["package", *REQUESTS],
        [[package, *(f"{spent[each].get(package, 0):.0f}" for each in REQUESTS)] for package in packages],
    )


if __name__ == "__main__":
    asyncio.run(main())
