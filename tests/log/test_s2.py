"""What the S2 engine promises beyond the contract: errors that say what to set, and outages that lose nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.errors import LogError, LogUnavailable
from resumable_chat.log import s2 as module
from resumable_chat.log.s2 import S2Log
from resumable_chat.records import NewRecord

from ..chats import Tab, chunks_of, story, user
from ..servers import free_port
from .engines import S2_ENDPOINT, fresh_basin

pytestmark = pytest.mark.skipif(not S2_ENDPOINT, reason="needs S2 Lite: run `make test-s2`")


def log_of(basin: str, endpoint: str = S2_ENDPOINT, **options: Any) -> S2Log:
    return S2Log(access_token="ignored", basin=basin, endpoints=(endpoint, endpoint), **options)


async def refused(log: S2Log) -> list[str]:
    """What append, tail and read say when each of them fails."""
    said = []
    for call in (
        lambda: log.append("s", [NewRecord(b"a")]),
        lambda: log.tail("s"),
        lambda: anext(log.read("s", 0)),
        lambda: anext(log.follow("s", 0)),
    ):
        with pytest.raises(LogError) as error:
            async with asyncio.timeout(30):
                await call()
        assert isinstance(error.value, LogUnavailable)
        said.append(str(error.value))
    await log.close()
    return said


async def test_a_basin_that_does_not_exist_is_named() -> None:
    """The error names the basin and the variable."""
    for text in await refused(log_of("no-such-basin")):
        assert "'no-such-basin'" in text and "S2_BASIN" in text


async def test_a_basin_that_does_not_create_streams_says_so() -> None:
    """The error names the two settings of the basin."""
    for text in await refused(log_of(await fresh_basin(create_streams=False))):
        assert "create_stream_on_append" in text and "create_stream_on_read" in text


async def test_an_endpoint_that_does_not_answer_is_named() -> None:
    """Nothing listens there: each call ends with the address and the variables to check."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    for text in await refused(log_of("some-basin", endpoint)):
        assert endpoint in text and "S2_BASIN_ENDPOINT" in text


async def test_a_server_that_never_answers_is_given_up() -> None:
    """A connection that is accepted and then silent ends at the deadline."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    log = log_of("some-basin", endpoint, timeout=0.2)
    for call in (log.append("s", [NewRecord(b"a")]), log.tail("s")):
        async with asyncio.timeout(10):
            with pytest.raises(LogUnavailable):
                await call
    await log.close()
    server.close()


class Refusing(asyncio.Protocol):
    """A server of HTTP/2 that answers every request with one status."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._h2 = H2Connection(H2Configuration(client_side=False))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._h2.initiate_connection()
        transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, RequestReceived):
                body = json.dumps({"code": "no", "message": "because"}).encode()
                headers = [(":status", str(self._status)), ("content-type", "application/json")]
                self._h2.send_headers(event.stream_id, headers)
                self._h2.send_data(event.stream_id, body, end_stream=True)
        self._transport.write(self._h2.data_to_send())


@pytest.mark.parametrize(
    ("status", "says"), [(401, "S2_ACCESS_TOKEN"), (403, "S2_ACCESS_TOKEN"), (429, "patience"), (500, "Try again")]
)
async def test_a_refusal_says_what_to_set(status: int, says: str) -> None:
    """A bad token, too many requests and a broken server: each has its own text, and none of them hangs."""
    server = await asyncio.get_running_loop().create_server(lambda: Refusing(status), "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for text in await refused(log_of("some-basin", endpoint)):
        assert says in text and "because" in text and "ignored" not in text
    server.close()


async def test_an_idle_client_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a freeze the old connections are not trusted: the next call uses new ones, and succeeds at once."""
    log = log_of(await fresh_basin())
    await log.append("s", [NewRecord(b"a")])
    before = log._client
    await log.append("s", [NewRecord(b"b")])
    assert log._client is before
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + 300)
    await log.append("s", [NewRecord(b"c")])
    assert log._client is not before
    assert (await log.tail("s")).seq_num == 3
    await log.close()


class Lite:
    """A server of S2 Lite of its own, on a folder, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._command = [os.environ["S2_LITE"], "--port", str(self.port), "--local-root", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220 - starts at once
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(30), httpx.AsyncClient() as http:
            while True:
                try:
                    await http.get(self.endpoint + "/health")
                    return
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)

    async def freeze(self, seconds: float) -> None:
        """Neither answer nor refuse anything for a while."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["killed", "stopped"])
async def test_a_server_that_is_gone_for_a_while_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """S2 Lite on disk is killed in mid-answer and started again, or stopped for ten seconds: all go on."""
    words = [f"{index} " for index in range(120)]

    async def slow(messages: Any, context: Any) -> Any:
        for word in words:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": word}
            await asyncio.sleep(0.05)

    lite = Lite(tmp_path)
    await lite.start()
    try:
        monkeypatch.setattr("tests.log.engines.S2_ENDPOINT", lite.endpoint)
        log = log_of(await fresh_basin(), lite.endpoint, timeout=2)
        chat, background = ResumableChat(log), Background()
        response = await chat.make_session_response(
            "s", messages=[user("u")], source=slow, wait_until=background.wait_until
        )
        assert response.status_code == 202
        async with Tab(chat, "s") as tab:
            await tab.until("TEXT_MESSAGE_CONTENT")
            await asyncio.sleep(1)
            if fault == "killed":
                lite.kill()
                await asyncio.sleep(3)
                await lite.start()
            else:
                await lite.freeze(10)
            frames = await tab.until("RUN_FINISHED", seconds=90)
        await background.drain(30)
        told = await story(log, "s")
        assert told[-2:] == ["RUN_FINISHED", "<end>"] and told.count("<session>") == 1
        stored = "".join(chunk["delta"] for chunk in (await chunks_of(log, "s"))[5:] if "delta" in chunk)
        assert stored == "".join(words)
        assert "".join(chunk.get("delta", "") for _, chunk in frames) == "".join(words)
        await chat.close()
    finally:
        lite.kill()
