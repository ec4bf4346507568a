"""Real local servers for tests, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def local_server(log: Path, **environ: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """``python -m functions.local`` on a free port: its address, and its process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "functions.local"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), "CHAT_LOG": f"sqlite:///{log}", "LOG_LEVEL": "WARNING", **environ},
    )
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(base + "/", timeout=1)
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the local server did not start") from None
                time.sleep(0.05)
        yield base, process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Lite:
    """A server of S2 Lite on a folder, at a given or a free port, that can be killed and started again."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._command = [os.environ["S2_LITE"], "--port", str(self.port), "--local-root", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220 - starts at once
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(30), httpx.AsyncClient() as http:
            while True:
                try:
                    await http.get(self.endpoint + "/health")
                    return
                except httpx.HTTPError:
                    assert self._process.poll() is None, "S2 Lite did not start"
                    await asyncio.sleep(0.1)

    async def freeze(self, seconds: float) -> None:
        """Neither answer nor refuse anything for a while."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
