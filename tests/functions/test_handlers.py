"""The three handlers as Lambda calls them: each in a process of its own, on one log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..chats import frames, user

_INVOKE = """
import importlib, json, sys
module, event = json.load(sys.stdin)
app = importlib.import_module(module)
print(json.dumps(app.handler(event, None)))
"""


def invoke(log: Path, function: str, method: str, path: str, query: str = "", body: Any = None) -> dict[str, Any]:
    """One invocation with an API Gateway HTTP API event (format 2.0), in a new process."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json", "host": "example"},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "127.0.0.1", "protocol": "HTTP/1.1"}},
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
    }
    done = subprocess.run(
        # Mangum asks for the event loop before there is one, which Python 3.12 has begun to warn of.
        [sys.executable, "-W", "error", "-W", "ignore:There is no current event loop", "-c", _INVOKE],
        input=json.dumps([f"functions.{function}.app", event]),
        env={**os.environ, "CHAT_LOG": f"sqlite:///{log}"},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.timeout(120)
def test_send_replay_and_stop_in_processes_of_their_own(tmp_path: Path) -> None:
    """Behind a buffering proxy send waits until all is stored, replay gives what is there, stop finds nothing."""
    log = tmp_path / "chat.db"
    sent = invoke(log, "send", "POST", "/api/chat", body={"id": "c", "messages": [user("u1", "Hello")]})
    assert (sent["statusCode"], sent.get("body")) == (202, "")
    replayed = invoke(log, "replay", "GET", "/api/chat/replay", "id=c")
    assert replayed["statusCode"] == 200 and replayed["headers"]["content-type"].startswith("text/event-stream")
    [(_, snapshot)] = frames(replayed["body"].encode())
    assert [message["role"] for message in snapshot["messages"]] == ["user", "assistant"]
    assert invoke(log, "stop", "DELETE", "/api/chat", "id=c")["statusCode"] == 204
    refused = invoke(log, "send", "POST", "/api/chat", body={"id": "c", "messages": {}})
    assert refused["statusCode"] == 400 and "list" in json.loads(refused["body"])["detail"]


@pytest.mark.timeout(120)
def test_a_stock_client_s_run_is_whole_when_it_is_collected(tmp_path: Path) -> None:
    """Behind a buffering proxy the response has the run to its end; a join and a history are served by replay."""
    log = tmp_path / "chat.db"
    body = {"threadId": "c", "runId": "r", "messages": [{"id": "u", "role": "user", "content": "Hello"}]}
    sent = invoke(log, "send", "POST", "/api/chat/stream", body=body)
    assert sent["statusCode"] == 200
    chunks = [chunk for _, chunk in frames(sent["body"].encode())]
    assert (chunks[1]["type"], chunks[-1]["type"]) == ("RUN_STARTED", "RUN_FINISHED")
    joined = invoke(log, "replay", "GET", "/api/chat/stream", "id=c&runId=r&offset=-1")
    assert [chunk["type"] for _, chunk in frames(joined["body"].encode())][-1] == "RUN_FINISHED"
    loaded = json.loads(invoke(log, "replay", "GET", "/api/chat/stream", "threadId=c")["body"])
    assert [message["role"] for message in loaded["messages"]] == ["user", "assistant"]
