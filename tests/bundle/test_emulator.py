"""The built functions under AWS's own emulator: our runtime speaks the protocol as AWS implements it.

The emulator holds every response until the function is at rest and sends streams in one piece, so it shows neither an
early 202 nor chunks as they come; the host does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lambda_asgi.testing import gateway

from ..chats import frames
from .artefact import task_root
from .deployment import functions, message, words
from .emulator import emulated

pytestmark = pytest.mark.timeout(120)


def request(method: str, target: str, body: Any = None) -> dict[str, Any]:
    headers = [("content-type", "application/json"), ("host", "localhost")]
    payload = b"" if body is None else json.dumps(body).encode()
    return gateway.event("rest", method, target, headers, payload, {"claims": {"sub": "alice"}})


async def test_a_chat_under_the_emulator(tmp_path: Path) -> None:
    """Send, replay and stop answer, and the answer was written to its end before the environment rested."""
    environ = {"CHAT_LOG": f"sqlite:///{tmp_path / 'chat.db'}"}
    outputs = []
    for function in functions(environ):
        # The replay is held until its function's time is nearly over; that time includes the start.
        timeout = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "12" if function.name == "replay" else "30"}
        output = tmp_path / f"{function.name}.log"
        async with emulated(
            function.command, task_root(function.name), {**function.environ, **timeout}, output
        ) as emulator:
            if function.name == "send":
                asked = {"id": "c", "messages": [message("say 5 every 0.1")]}
                assert json.loads(await emulator.invoke(request("POST", "/api/chat", asked)))["statusCode"] == 202
                refused = json.loads(await emulator.invoke(request("POST", "/api/chat", {"id": "c"})))
                assert refused["statusCode"] == 400
            elif function.name == "replay":
                payload = await emulator.invoke(request("GET", "/api/chat/replay?id=c"))
                prelude, _, body = payload.partition(b"\0" * 8)
                assert json.loads(prelude)["statusCode"] == 200
                shown = frames(body)[0][1]["messages"]
                assert shown[-1]["parts"] == [{"type": "text", "content": words(5)}]
            else:
                stopped = json.loads(await emulator.invoke(request("DELETE", "/api/chat?id=c")))
                assert stopped["statusCode"] == 204
            outputs.append(emulator.output)
    assert not [output for output in outputs if "Traceback" in output or "no internal extension" in output], outputs
