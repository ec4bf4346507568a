"""One request through an app, with a reply that remembers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lambda_asgi import RuntimeApiError, StreamBroken
from lambda_asgi.exchange import App, Exchange


class Remembered:
    """A reply in memory; ``leave`` is its reader going away."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.left = asyncio.Event()

    async def start(self, status: int, headers: Any) -> None:
        self.told.append(status)

    async def write(self, data: bytes) -> None:
        if self.left.is_set():
            raise StreamBroken("left")
        self.told.append(data)

    async def end(self) -> None:
        self.told.append("end")

    async def fail(self, error: BaseException) -> bool:
        self.told.append(type(error).__name__)
        return len(self.told) > 1

    async def gone(self) -> None:
        await self.left.wait()


async def run(app: App, reply: Remembered, seconds: float = 5, method: str = "GET") -> list[Any]:
    deadline = asyncio.get_running_loop().time() + seconds
    await Exchange({"type": "http", "method": method}, b"body", reply).run(app, deadline, deadline + 0.1)
    return reply.told


START = {"type": "http.response.start", "status": 200, "headers": []}


async def test_the_body_comes_once() -> None:
    """The app gets the whole body, and a disconnect once its response is over."""
    received = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received.append(await receive())
        await send(START)
        await send({"type": "http.response.body", "body": b"x"})
        received.append(await receive())

    assert await run(app, Remembered()) == [200, b"x", "end"]
    assert received == [{"type": "http.request", "body": b"body", "more_body": False}, {"type": "http.disconnect"}]


async def test_a_reader_that_leaves() -> None:
    """The app is told when the platform says that the reader left; what it still sends raises an OSError."""
    reply = Remembered()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        reply.left.set()
        assert await receive() == {"type": "http.disconnect"}
        with pytest.raises(OSError, match="left"):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    told = await run(app, reply)
    assert told[:1] == [200]


@pytest.mark.parametrize("messages", [[{"type": "http.response.body"}], [START, START], [{"type": "websocket.accept"}]])
async def test_messages_out_of_order(messages: list[dict[str, Any]], caplog: pytest.LogCaptureFixture) -> None:
    """An app that breaks the protocol fails its own request, with an error that names the message."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    told = await run(app, Remembered())
    assert told in (["LambdaAsgiError", 500, b"Internal Server Error", "end"], [200, "LambdaAsgiError"])
    assert messages[-1]["type"] in caplog.text


async def test_after_the_end() -> None:
    """What is sent after the response's end raises, and changes nothing."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body"})
        await send({"type": "http.response.body", "body": b"more"})

    assert await run(app, Remembered()) == [200, b"", "end"]


async def test_cancelled() -> None:
    """When the process must end, a response on its way is broken off."""
    started = asyncio.Event()
    reply = Remembered()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        started.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(run(app, reply))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reply.told == [200, "CancelledError"]


async def test_a_cancellation_of_the_apps_own() -> None:
    """An app that waited for a task that was cancelled has failed; the process has not been told to end."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    assert await run(app, Remembered()) == ["CancelledError", 500, b"Internal Server Error", "end"]


class Refused(Remembered):
    """A reply that the platform does not take."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def end(self) -> None:
        raise self.error


@pytest.mark.parametrize("swallowed", [True, False])
@pytest.mark.parametrize("error", [RuntimeApiError("refused", 413), ValueError("no text")])
async def test_an_answer_that_is_not_taken(error: Exception, swallowed: bool) -> None:
    """That an answer could not be handed over is known outside, whatever the app makes of the error."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            await send({"type": "http.response.body"})
        except Exception:
            if not swallowed:
                raise

    with pytest.raises(type(error), match=str(error)):
        await run(app, Refused(error))


async def test_a_stream_that_cannot_begin() -> None:
    """When neither the response nor an error in its place can begin, it is known outside."""

    class Unreachable(Remembered):
        async def start(self, status: int, headers: Any) -> None:
            raise StreamBroken("unreachable")

        async def fail(self, error: BaseException) -> bool:
            return False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)

    with pytest.raises(RuntimeApiError, match="unreachable"):
        await run(app, Unreachable())


async def test_a_reader_that_takes_nothing() -> None:
    """A response whose reader takes nothing any more is given up before the deadline, its error trailers too."""

    class Stuck(Remembered):
        async def write(self, data: bytes) -> None:
            await asyncio.sleep(60)

        async def fail(self, error: BaseException) -> bool:
            await asyncio.sleep(60)
            return True

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"x"})

    async with asyncio.timeout(10):
        assert await run(app, Stuck(), seconds=0.1) == [200]


async def test_who_answered_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """An app that works on behind its response is ended by the deadline; the log does not call it silent."""
    ended = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"x"})
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    assert await run(app, Remembered(), seconds=0.1) == [200, b"x", "end"]
    assert ended
    assert "did not answer" not in caplog.text
    assert "deadline" in caplog.text


async def test_head() -> None:
    """The answer to HEAD has no body, whatever the app sends."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"y"})

    told = await run(app, Remembered(), method="HEAD")
    assert [entry for entry in told if entry] == [200, "end"]
