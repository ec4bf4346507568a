"""Real local servers for tests, each a process of its own."""

from __future__ import annotations

import os
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
