"""The three functions as they are deployed, behind the host's REST API and function URLs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from lambda_asgi.testing import Function, LambdaHost, Route
from lambda_asgi.testing.http_server import Request

from .artefact import PYTHON, layer, task_root

MODELS = Path(__file__).parent / "models"
ROUTES = (
    Route("POST", "/api/chat", "send"),
    Route("GET", "/api/chat/replay", "replay", streaming=True),
    Route("DELETE", "/api/chat", "stop"),
)


def authorizer(request: Request) -> Mapping[str, Any] | None:
    """Cognito's claims for ``Authorization: Bearer <name>``; without one the request is refused."""
    scheme, _, name = request.header("authorization").partition(" ")
    return {"claims": {"sub": name, "iss": "https://idp.example/pool"}} if scheme == "Bearer" and name else None


def functions(environ: Mapping[str, str], *, snap_start: float | None = None, **timeouts: float) -> list[Function]:
    """send, replay and stop, on the layer alone."""
    shared = {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/lambda-asgi",
        "PYTHONPATH": f"{layer() / 'python'}:{MODELS}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "CHAT_SOURCE": "scripted:answer",
        **environ,
    }
    return [
        Function(
            name,
            "app.handler",
            task_root(name),
            [str(layer() / "lambda-asgi"), str(PYTHON), "/var/runtime/bootstrap.py"],
            {**shared, "LAMBDA_ASGI_RESPONSE_MODE": "streaming" if name == "replay" else "buffered"},
            timeout=timeouts.get(name, 60.0),
            max_environments=30,
            snap_start=snap_start,
            url="streaming" if name == "replay" else "buffered",
        )
        for name in ("send", "replay", "stop")
    ]


@asynccontextmanager
async def deployed(
    environ: Mapping[str, str], *, snap_start: float | None = None, **timeouts: float
) -> AsyncIterator[tuple[LambdaHost, httpx.AsyncClient]]:
    """The functions under the host, and a client that is alice."""
    async with (
        LambdaHost(functions(environ, snap_start=snap_start, **timeouts), ROUTES, authorizer=authorizer) as host,
        httpx.AsyncClient(base_url=host.url, timeout=30, headers={"authorization": "Bearer alice"}) as client,
    ):
        yield host, client


def message(text: str, message_id: str = "u0") -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "content": text}]}


class Reader:
    """A browser's subscription: comes back with the last id whenever a response ends or breaks off."""

    def __init__(self, client: httpx.AsyncClient, chat: str, cursor: int | None = None) -> None:
        self.client, self.chat, self.cursor = client, chat, cursor
        self.connections = 0
        self.broken = 0

    async def events(self) -> AsyncGenerator[tuple[int, dict[str, Any]]]:
        """Ids and chunks, over as many connections as it takes. Raises HTTPStatusError."""
        while True:
            self.connections += 1
            headers = {} if self.cursor is None else {"last-event-id": str(self.cursor)}
            try:
                async with self.client.stream(
                    "GET", "/api/chat/replay", params={"id": self.chat}, headers=headers
                ) as got:
                    if got.status_code != 200:
                        await got.aread()
                        got.raise_for_status()
                    buffered = ""
                    async for text in got.aiter_text():
                        buffered += text
                        *whole, buffered = buffered.split("\n\n")
                        for event in whole:
                            if event.startswith("id: "):
                                head, data = event.split("\n", 1)
                                self.cursor = int(head[4:])
                                yield self.cursor, json.loads(data.removeprefix("data: "))
            except httpx.RemoteProtocolError:
                self.broken += 1

    async def until(self, *types: str, seconds: float = 40) -> list[dict[str, Any]]:
        """The chunks up to the first of one of these types."""
        seen = []
        async with asyncio.timeout(seconds):
            async with aclosing(self.events()) as events:
                async for _, chunk in events:
                    seen.append(chunk)
                    if chunk["type"] in types:
                        break
        return seen


def text_of(chunks: list[dict[str, Any]]) -> str:
    """The assistant's words among these chunks."""
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "TEXT_MESSAGE_CONTENT")


def words(count: int) -> str:
    """What the scripted model says."""
    return "".join(f"w{index} " for index in range(count))
