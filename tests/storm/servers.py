"""The processes of a storm: local servers on one log, and S2 Lite where that is the log."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Server:
    """A process that serves HTTP on a port of its own, and can be killed, frozen and started again."""

    def __init__(self, command: list[str], health: str, environ: Mapping[str, str], output: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [part.replace("PORT", str(self.port)) for part in command]
        self._health = health
        self._environ = {**os.environ, **environ, "PORT": str(self.port)}
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environ, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.url + self._health, timeout=2).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self._command[0]} did not start; see {self._output}") from None
                time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it lives."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Ask the process to end, and wait for it."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


def chat_server(environ: Mapping[str, str], output: Path) -> Server:
    """Return a local server with the storm's model."""
    return Server(
        [sys.executable, "-m", "functions.local"],
        "/api/chat/replay?id=",
        {"CHAT_SOURCE": "tests.storm.model:answer", "CHAT_LEASE_MS": "3000", "LOG_LEVEL": "WARNING", **environ},
        output,
    )


def s2_lite(binary: str, folder: Path, output: Path) -> Server:
    """Return a server of S2 Lite on a folder, which it finds again after a crash."""
    return Server([binary, "--port", "PORT", "--local-root", str(folder)], "/health", {}, output)
