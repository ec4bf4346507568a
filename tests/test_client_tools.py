"""A tool of the page's is called by each kind of model, runs in the published ChatClient, and the answer goes on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .servers import local_server
from .sources import bedrock_server
from .sources.openai import server as openai_server

_ASKED = "Where am I?"


async def _openai(exchange: openai_server.Exchange) -> None:
    messages = exchange.body["messages"]
    await exchange.open()
    if messages[-1]["content"] == _ASKED:
        [offered] = exchange.body["tools"]
        function = {"name": offered["function"]["name"], "arguments": '{"exact":true}'}
        await exchange.delta(tool_calls=[{"index": 0, "id": "call_0", "type": "function", "function": function}])
        await exchange.delta("tool_calls")
    else:
        called = messages[-1]["role"] == "tool"
        said = f"You are in {json.loads(messages[-1]['content'])['place']}." if called else "Any time."
        await exchange.delta("stop", content=said)
    await exchange.event("[DONE]")
    await exchange.close()


async def _bedrock(exchange: bedrock_server.Exchange) -> None:
    [*_, last] = exchange.body["messages"][-1]["content"]
    await exchange.open()
    await exchange.event("messageStart", role="assistant")
    if last.get("text") == _ASKED:
        [offered] = exchange.body["toolConfig"]["tools"]
        start = {"toolUse": {"toolUseId": "call_0", "name": offered["toolSpec"]["name"]}}
        await exchange.event("contentBlockStart", contentBlockIndex=0, start=start)
        await exchange.delta(toolUse={"input": '{"exact":true}'})
        await exchange.stop("tool_use")
    else:
        called = "toolResult" in last
        await exchange.text("You are in Paris." if called and "Paris" in json.dumps(last) else "Any time.")
        await exchange.stop()
    await exchange.close()


@contextmanager
def served(server: Any, script: Any) -> Iterator[str]:
    """Serve a scripted model from a thread: its address."""
    started: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with server(script) as found:
            started.append(getattr(found, "base_url", None) or found.endpoint_url)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield started[0]
    finally:
        over.set()
        thread.join(10)


@contextmanager
def model(name: str) -> Iterator[dict[str, str]]:
    """The settings of a model that calls the page's tool."""
    if name == "openai":
        with served(openai_server.openai_server, _openai) as base_url:
            yield {"OPENAI_MODEL": "m", "OPENAI_BASE_URL": base_url}
    elif name == "bedrock":
        pytest.importorskip("boto3", reason="boto3 is not installed")
        with served(bedrock_server.bedrock_server, _bedrock) as endpoint:
            keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}
            yield {**keys, "CHAT_MODEL": "bedrock:m", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": endpoint}
    else:
        pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
        yield {"CHAT_SOURCE": "tests.agents:asks_the_page"}


@pytest.mark.node
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["openai", "bedrock", "agent"])
def test_the_tool_runs_in_the_page_and_the_answer_goes_on(node: Path, tmp_path: Path, name: str) -> None:
    """Once, with the model's arguments; the chat takes the next message, and a reload shows the same."""
    with model(name) as settings, local_server(tmp_path / "chat.db", **settings) as (base, _):
        printed = subprocess.run(
            ["node", "client_tools.mjs", base, "tour"], cwd=node, capture_output=True, text=True, timeout=100
        )
        assert printed.returncode == 0, printed.stderr
    result = json.loads(printed.stdout)
    assert result["ran"] == [{"exact": True}] and result["errors"] == []
    user, *answers = result["messages"]
    parts = [part for answer in answers for part in answer["parts"]]
    assert user["role"] == "user" and {answer["role"] for answer in answers} == {"assistant"}
    assert [part["type"] for part in parts if part["type"] != "text"] == ["tool-call", "tool-result"]
    assert parts[0]["output"] == {"place": "Paris"} and parts[-1]["content"] == "You are in Paris."
    assert [message["role"] for message in result["sent"]].count("user") == 2
    assert result["reloaded"] == result["sent"]
