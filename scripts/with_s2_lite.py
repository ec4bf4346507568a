"""Runs a command with S2_TEST_ENDPOINT naming a fresh server of S2 Lite, which is built first if it is not there.

    python scripts/with_s2_lite.py COMMAND …

S2_LITE names another binary; without it, one is built with cargo and kept in a cache folder outside the project.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

VERSION = "0.43.4"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "s2-lite"
# A build for tests: fast to make, fast enough to run.
PROFILE = {"LTO": "off", "CODEGEN_UNITS": "16", "OPT_LEVEL": "1", "DEBUG": "0"}


def binary() -> Path:
    named = os.environ.get("S2_LITE")
    if named:
        return Path(named)
    built = CACHE / "bin" / "server"
    if not built.exists():
        cargo = shutil.which("cargo")
        if cargo is None:
            sys.exit(
                "S2 Lite is built with cargo, which is not here: install Rust (https://rustup.rs), or set S2_LITE."
            )
        print(f"building S2 Lite {VERSION} into {CACHE}: this takes some minutes, once")
        environ = {**os.environ, **{f"CARGO_PROFILE_RELEASE_{name}": value for name, value in PROFILE.items()}}
        subprocess.run(
            [cargo, "install", "--locked", "s2-lite", "--version", VERSION, "--root", str(CACHE)],
            env=environ,
            check=True,
        )
    return built


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url + "/health", timeout=1).close()  # noqa: S310 - our own server
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit("S2 Lite did not start.")
            time.sleep(0.1)


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [str(binary()), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_up(endpoint, server)
        environ = {**os.environ, "S2_TEST_ENDPOINT": endpoint, "S2_LITE": str(binary())}
        return subprocess.run(sys.argv[1:], env=environ, check=False).returncode
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    sys.exit(main())
