"""The Bedrock source, against an endpoint on loopback that speaks the real event stream format."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from resumable_chat import SourceContext
from resumable_chat.sources.bedrock import BedrockError, BedrockSource
from resumable_chat.sources.errors import SourceError
from resumable_chat.sources.port import iterate

from ..answers import check_pairs, text, thinking, tool_calls
from ..bedrock_server import Exchange, Served, bedrock_server

pytest.importorskip("boto3", reason="boto3 is not installed")

CONTEXT = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def source(served: Served, **options: Any) -> BedrockSource:
    return BedrockSource(
        model=MODEL, region="eu-central-1", endpoint_url=served.endpoint_url, **{"backoff": 0.01, **options}
    )


async def read(model: BedrockSource, *messages: Any) -> list[dict[str, Any]]:
    given = list(messages) or [{"role": "user", "content": "hi"}]
    return [chunk async for chunk in iterate(model, given, CONTEXT)]


async def hello(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.event("messageStart", role="assistant")
    await exchange.text("Hel", "lo ü")
    await exchange.stop()
    await exchange.close()


async def test_text_is_streamed() -> None:
    """The request is as the API has it; text, reason and usage come out in pairs of events."""
    async with bedrock_server(hello) as served:
        chunks = await read(source(served, system="Be kind.", request={"inferenceConfig": {"maxTokens": 5}}))
        [exchange] = served.exchanges
    assert text(chunks) == "Hello ü"
    check_pairs(chunks)
    assert chunks[-1]["finishReason"] == "stop"
    assert chunks[-1]["usage"] == {"promptTokens": 1, "completionTokens": 2, "totalTokens": 3}
    assert exchange.target == f"/model/{MODEL.replace(':', '%3A')}/converse-stream"
    assert exchange.body == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "system": [{"text": "Be kind."}],
        "inferenceConfig": {"maxTokens": 5},
    }


async def test_reasoning_and_tool_calls_are_streamed() -> None:
    """With the signature, and each call ended with its block."""

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event("messageStart", role="assistant")
        await exchange.delta(reasoningContent={"text": "hm"})
        await exchange.delta(reasoningContent={"signature": "sig"})
        await exchange.event("contentBlockStop", contentBlockIndex=0)
        await exchange.delta(1, text="I look.")
        await exchange.event("contentBlockStop", contentBlockIndex=1)
        for index, name in ((2, "f"), (3, "g")):
            start = {"toolUse": {"toolUseId": f"t{index}", "name": name}}
            await exchange.event("contentBlockStart", contentBlockIndex=index, start=start)
            await exchange.delta(index, toolUse={"input": '{"a":'})
            await exchange.delta(index, toolUse={"input": "1}"})
            await exchange.event("contentBlockStop", contentBlockIndex=index)
        await exchange.stop("tool_use")
        await exchange.close()

    async with bedrock_server(script) as served:
        chunks = await read(source(served))
    check_pairs(chunks)
    assert (thinking(chunks), text(chunks)) == ("hm", "I look.")
    assert tool_calls(chunks) == [["f", '{"a":1}'], ["g", '{"a":1}']]
    assert [chunk["encryptedValue"] for chunk in chunks if chunk["type"] == "REASONING_ENCRYPTED_VALUE"] == ["sig"]
    assert chunks[-1]["finishReason"] == "tool_calls"


@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [
        ("400 Bad Request", "ValidationException", 1),
        ("403 Forbidden", "AccessDeniedException", 1),
        ("404 Not Found", "ResourceNotFoundException", 1),
        ("429 Too Many Requests", "ThrottlingException", 3),
        ("503 Service Unavailable", "ServiceUnavailableException", 3),
        ("500 Internal Server Error", "InternalServerException", 3),
    ],
)
async def test_a_refusal_is_a_typed_error(status: str, code: str, attempts: int) -> None:
    """With AWS's name and text; it is tried again only if that may help."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.fail(status, code, "because")

    async with bedrock_server(refuse) as served:
        with pytest.raises(BedrockError, match="because") as raised:
            await read(source(served))
        assert raised.value.code == code and len(served.exchanges) == attempts


@pytest.mark.parametrize("throttled", ["before the stream", "in the stream", "behind messageStart", "cut"])
async def test_what_fails_before_its_first_content_is_tried_again(throttled: str) -> None:
    """Then the answer comes as if nothing had been."""

    async def busy(exchange: Exchange) -> None:
        if throttled == "before the stream":
            await exchange.fail("429 Too Many Requests", "ThrottlingException", "busy")
            return
        if throttled == "cut":
            exchange.cut()
            return
        await exchange.open()
        if throttled == "behind messageStart":
            await exchange.event("messageStart", role="assistant")
        await exchange.exception("throttlingException", "busy")
        await exchange.close()

    async with bedrock_server(busy, hello) as served:
        assert text(await read(source(served))) == "Hello ü"
        assert len(served.exchanges) == 2


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("throttlingException", "ThrottlingException"),
        ("modelStreamErrorException", "ModelStreamErrorException"),
        ("internalServerException", "InternalServerException"),
        ("serviceUnavailableException", "ServiceUnavailableException"),
        ("validationException", "ValidationException"),
    ],
)
async def test_an_exception_in_mid_stream_is_a_typed_error(kind: str, code: str) -> None:
    """What came before it was passed on, and nothing is asked for twice."""

    async def breaks(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.text("half")
        await exchange.exception(kind, "because")
        await exchange.close()

    got: list[Any] = []
    async with bedrock_server(breaks) as served:
        with pytest.raises(BedrockError, match="because") as raised:
            async for chunk in iterate(source(served), [{"role": "user", "content": "hi"}], CONTEXT):
                got.append(chunk)  # noqa: PERF401 - what came before the error counts
        assert raised.value.code == code and text(got) == "half" and len(served.exchanges) == 1


@pytest.mark.parametrize("end", ["closed", "cut", "garbage"])
async def test_a_cut_stream_is_an_error(end: str) -> None:
    """Without messageStop, half an answer must not look whole."""

    async def breaks(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.text("half")
        if end == "closed":
            await exchange.close()
        elif end == "cut":
            await asyncio.sleep(0.05)
            exchange.cut()
        else:
            await exchange.raw(b"x" * 100)
            await exchange.close()

    async with bedrock_server(breaks) as served:
        with pytest.raises(SourceError):
            await read(source(served))
        assert len(served.exchanges) == 1


async def test_a_whole_answer_is_whole_whatever_comes_behind_it() -> None:
    """The connection may break instead of bringing the usage."""

    async def breaks(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.text("all")
        await exchange.event("messageStop", stopReason="end_turn")
        await asyncio.sleep(0.05)
        exchange.cut()

    async with bedrock_server(breaks) as served:
        chunks = await read(source(served))
    assert text(chunks) == "all" and chunks[-1]["finishReason"] == "stop"


async def test_a_slow_first_token_is_waited_for_but_not_for_ever() -> None:
    """The time-out is one of content."""

    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.3)
        await hello(exchange)

    async def silent(exchange: Exchange) -> None:
        await exchange.open()
        while True:
            await exchange.event("messageStart", role="assistant")
            await asyncio.sleep(0.05)

    async with bedrock_server(slow) as served:
        assert text(await read(source(served))) == "Hello ü"
    async with bedrock_server(silent) as served:
        with pytest.raises(SourceError, match=r"no content for 0\.3 s"):
            await read(source(served, timeout=0.3))


async def test_a_fast_model_is_read_whole_and_in_order() -> None:
    """3,000 deltas as fast as they can be sent, on one connection for two answers."""

    async def fast(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.text(*(f"{number} " for number in range(3_000)))
        await exchange.stop()
        await exchange.close()

    async with bedrock_server(fast) as served:
        model = source(served)
        for _ in range(2):
            assert text(await read(model)).split() == [str(number) for number in range(3_000)]
        assert served.connections == 1


@pytest.mark.parametrize("silent", ["before the response", "behind the response", "in the answer"])
async def test_a_stop_ends_the_read_of_a_silent_server_at_once(silent: str) -> None:
    """The connection is closed, the thread ends, and the loop was never blocked."""
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if silent != "before the response":
            await exchange.open()
        if silent == "in the answer":
            await exchange.text("so ")
        asked.set()
        await asyncio.wait_for(exchange.hung_up(), 30)
        hung_up.set()

    def reading() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "resumable-chat source"]

    async with bedrock_server(script) as served:
        task = asyncio.ensure_future(read(source(served, retries=5)))
        await asked.wait()
        await asyncio.sleep(0.05)
        before = asyncio.get_running_loop().time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await hung_up.wait()
            while reading():
                await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - before < 10
        assert len(served.exchanges) == 1


async def test_a_stop_ends_the_wait_before_another_attempt() -> None:
    """No call is made for a run that nobody reads."""

    async def busy(exchange: Exchange) -> None:
        await exchange.fail("429 Too Many Requests", "ThrottlingException", "busy")

    async with bedrock_server(busy) as served:
        task = asyncio.ensure_future(read(source(served, backoff=0.3)))
        async with asyncio.timeout(10):
            while not served.exchanges:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.5)
        assert len(served.exchanges) == 1
