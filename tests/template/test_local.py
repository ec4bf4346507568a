"""The plain handlers under AWS's own runtime and emulator, as `sam local` runs them in its containers."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ..bundle.emulator import Emulated, emulated
from ..chats import frames
from .artefact import FUNCTIONS, Artefact
from .test_build import sample

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="AWS's emulator is a program for Linux"),
]


async def started(stack: AsyncExitStack, artefact: Artefact, function: str, folder: Path, **more: str) -> Emulated:
    """A built function with AWS's runtime for Python, before all that this machine has."""
    command = (artefact.python, "-m", "awslambdaric", "app.handler")
    environ = {**artefact.environ(function, **more), "AWS_LAMBDA_FUNCTION_TIMEOUT": "60"}
    running = emulated(command, artefact.task_root(function), environ, folder / f"{function}.log")
    return await stack.enter_async_context(running)


async def answer(function: Emulated, event: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await function.invoke(event))
    return found


async def test_a_chat_under_awss_emulator(here: Artefact, tmp_path: Path) -> None:
    """Send answers when all is stored, the replay has it, there is nothing to stop; and again in the same processes."""
    settings = {
        "CHAT_LOG": f"sqlite:///{tmp_path}/chat.db",
        "CHAT_MODEL": "demo",
        "CHAT_STREAM_PREFIX": "local/",
    }
    async with AsyncExitStack() as stack:
        functions = {name: await started(stack, here, name, tmp_path, **settings) for name in FUNCTIONS}
        for turn in (1, 2):
            event = sample("send", "rest")
            event["body"] = event["body"].replace("run-1", f"run-{turn}").replace('"m1"', f'"m{turn}"')
            sent = await answer(functions["send"], event)
            assert (sent["statusCode"], sent["body"]) == (202, "")
            replayed = await answer(functions["replay"], sample("replay", "rest"))
            assert replayed["statusCode"] == 200
            assert replayed["headers"]["content-type"].startswith("text/event-stream")
            [(_, snapshot)] = frames(replayed["body"].encode())
            roles = [message["role"] for message in snapshot["messages"]]
            assert roles == ["user", "assistant"] * turn
            assert (await answer(functions["stop"], sample("stop", "rest")))["statusCode"] == 204


async def test_a_wrong_setting_is_an_answer_and_a_log_line(here: Artefact, tmp_path: Path) -> None:
    """The plain handler has no start of its own: each request is answered with 500, and the log says why."""
    async with AsyncExitStack() as stack:
        function = await started(stack, here, "stop", tmp_path, CHAT_LOG="postgres://x")
        refused = await answer(function, sample("stop", "url"))
        assert refused["statusCode"] == 500 and "CHAT_LOG" not in refused["body"]
        assert "CHAT_LOG is 'postgres://x'" in function.output
