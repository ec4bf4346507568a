"""AWS's Runtime Interface Emulator, which ships in the package aws-sam-cli."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ..servers import free_port
from .artefact import SAM_VENV


def emulator() -> Path:
    """The emulator's binary for this machine."""
    name = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    return next(SAM_VENV.glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{name}"))


class Emulated:
    """A function under the emulator."""

    def __init__(self, url: str, output: Path, client: httpx.AsyncClient) -> None:
        self._url = url
        self._output = output
        self._client = client

    @property
    def output(self) -> str:
        """What the emulator and the function wrote."""
        return self._output.read_text(errors="replace")

    async def invoke(self, event: Any) -> bytes:
        """The payload of the function's response."""
        response = await self._client.post(self._url, content=json.dumps(event))
        return response.content


@asynccontextmanager
async def emulated(
    command: Sequence[str],
    task_root: Path,
    environ: Mapping[str, str],
    output: Path,
    *,
    prefix: Sequence[str] = (),
) -> AsyncIterator[Emulated]:
    """Run a function's command under the emulator, which ``prefix`` runs in a place of its own."""
    front, api = free_port(), free_port()
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*prefix, str(emulator()), "--runtime-interface-emulator-address", f"127.0.0.1:{front}"),
            *("--runtime-api-address", f"127.0.0.1:{api}", *command),
            cwd=task_root,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_FUNCTION_NAME": "emulated",
                "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
                "LAMBDA_TASK_ROOT": str(task_root),
                "_HANDLER": "app.handler",
                **environ,
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with httpx.AsyncClient(timeout=40) as client, asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", front)
                    break
                except OSError:
                    await asyncio.sleep(0.02)
            writer.close()
        async with httpx.AsyncClient(timeout=40) as client:
            yield Emulated(f"http://127.0.0.1:{front}/2015-03-31/functions/function/invocations", output, client)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
