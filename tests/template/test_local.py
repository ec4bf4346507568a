"""The built functions under AWS's own emulator, as `sam local` runs them: with AWS's runtime, and with ours."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..chats import frames
from ..servers import free_port
from .artefact import FUNCTIONS, SAM, Artefact
from .test_build import sample

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="AWS's emulator is a program for Linux"),
]


def emulator() -> Path:
    """The Runtime Interface Emulator that comes with SAM."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    [found] = SAM.parent.glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    return found


def command(artefact: Artefact, runtime: str) -> list[str | Path]:
    """What Lambda starts: its own runtime, or the wrapper that starts ours."""
    if runtime == "awslambdaric":
        return [artefact.python, "-m", "awslambdaric", "app.handler"]
    return [artefact.layer / "lambda-asgi", artefact.python, "/var/runtime/bootstrap.py"]


@contextmanager
def emulated(
    artefact: Artefact, function: str, folder: Path, runtime: str = "awslambdaric", **environ: str
) -> Iterator[httpx.Client]:
    """A function under the emulator, with the built artefact before all else."""
    rie = folder / "aws-lambda-rie"
    if not rie.exists():
        shutil.copy(emulator(), rie)
        rie.chmod(0o755)
    address, runtime_api = free_port(), free_port()
    process = subprocess.Popen(
        [
            rie,
            "--runtime-interface-emulator-address",
            f"127.0.0.1:{address}",
            "--runtime-api-address",
            f"127.0.0.1:{runtime_api}",
            *command(artefact, runtime),
        ],
        cwd=artefact.task_root(function),
        env=artefact.environ(function, AWS_LAMBDA_FUNCTION_TIMEOUT="60", _HANDLER="app.handler", **environ),
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", address), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "the emulator did not start"
                time.sleep(0.05)
        with httpx.Client(base_url=f"http://127.0.0.1:{address}", timeout=60) as client:
            yield client
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def invoke(client: httpx.Client, event: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/2015-03-31/functions/function/invocations", json=event).json()
    assert "statusCode" in answer, answer
    return answer


@pytest.mark.parametrize("runtime", ["awslambdaric", "lambda_asgi"])
def test_a_chat_under_awss_emulator(here: Artefact, runtime: str, tmp_path: Path) -> None:
    """Send answers when all is stored, the replay has it, there is nothing to stop; and again in the same processes."""
    settings = {"CHAT_LOG": f"sqlite:///{tmp_path}/chat.db", "CHAT_STREAM_PREFIX": "local/"}
    with ExitStack() as stack:
        functions = {
            name: stack.enter_context(emulated(here, name, tmp_path, runtime, **settings)) for name in FUNCTIONS
        }
        for turn in (1, 2):
            event = sample("send", "rest")
            event["body"] = event["body"].replace("run-1", f"run-{turn}").replace('"m1"', f'"m{turn}"')
            sent = invoke(functions["send"], event)
            assert (sent["statusCode"], sent["body"]) == (202, "")
            replayed = invoke(functions["replay"], sample("replay", "rest"))
            assert replayed["statusCode"] == 200
            assert replayed["headers"]["content-type"].startswith("text/event-stream")
            [(_, snapshot)] = frames(replayed["body"].encode())
            roles = [message["role"] for message in snapshot["messages"]]
            assert roles == ["user", "assistant"] * turn
            assert invoke(functions["stop"], sample("stop", "rest"))["statusCode"] == 204


def test_a_wrong_setting_is_an_answer_and_a_log_line(here: Artefact, tmp_path: Path) -> None:
    """Under the plain handler, which has no start of its own, the request is answered with 500."""
    with emulated(here, "stop", tmp_path, CHAT_LOG="postgres://x") as client:
        answer = client.post("/2015-03-31/functions/function/invocations", json=sample("stop", "url")).json()
        assert answer.get("statusCode") == 500 and "CHAT_LOG" not in answer["body"]
