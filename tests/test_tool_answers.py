"""Answers that call tools leave no tab waiting: judged by the published ChatClient under Node."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from resumable_chat import ResumableChat, SqliteLog
from resumable_chat.sources.port import SourceContext
from resumable_chat.web.owners import PUBLIC
from resumable_chat.web.router import create_app

from .servers import free_port


class Model:
    """Calls a tool, asks a question, or speaks, as the user's last message says."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self, messages: Any, context: SourceContext) -> AsyncIterator[Any]:
        self.runs += 1
        call = {"toolCallId": f"call-{self.runs}", "toolCallName": "weather", "parentMessageId": context.message_id}
        asked = next(message for message in reversed(messages) if message["role"] == "user")
        wanted = asked["parts"][0]["content"]
        if wanted == "say" or "degrees" in json.dumps(messages):
            text = "It is 21." if wanted.startswith("call") else "Hello."
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": text}
            return
        yield {"type": "TOOL_CALL_START", **call}
        yield {"type": "TOOL_CALL_ARGS", "toolCallId": call["toolCallId"], "delta": "{}"}
        yield {"type": "TOOL_CALL_END", "toolCallId": call["toolCallId"]}
        if wanted == "call client":
            value = {"toolCallId": call["toolCallId"], "toolName": "weather", "input": {}}
            yield {"type": "CUSTOM", "name": "tool-input-available", "value": value}
        finished: dict[str, Any] = {"type": "RUN_FINISHED", "finishReason": "tool_calls"}
        if wanted == "ask":
            question = {"id": "i", "reason": "approval_required", "toolCallId": call["toolCallId"]}
            finished["outcome"] = {"type": "interrupt", "interrupts": [question]}
        yield finished


@contextmanager
def served(log: Path, model: Model) -> Iterator[str]:
    """A server of these chats in a thread: its address."""
    app = create_app(model, owner=PUBLIC, chat=ResumableChat(SqliteLog(log)))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.mark.node
@pytest.mark.timeout(120)
def test_every_tab_settles_after_tool_calls(node: Path, tmp_path: Path) -> None:
    """Whether the server, the browser, the page or the user is to carry the call out."""
    model = Model()
    with served(tmp_path / "chat.db", model) as base:
        answer = subprocess.run(["node", "tools.mjs", base], cwd=node, capture_output=True, text=True, timeout=100)
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    for name, told in result.items():
        assert told["send"] == "settled" and not told["loading"] and not told["generating"], name
        assert told["errors"] == [] and told["status"] == "ready", name
        assert told["runs"][-1] == "finished", name
    assert result["server"]["next"] == "settled"
    assert result["server"]["after"] == {"role": "assistant", "parts": ["Hello."]}
    for name in ("client", "later"):
        assert result[name]["messages"][-1]["parts"][-1] == "It is 21.", name
    assert result["client"]["executed"] == 1 and result["later"]["resolve"] == "settled"
    assert result["interrupt"]["pending"] == 1
    assert model.runs == 7
