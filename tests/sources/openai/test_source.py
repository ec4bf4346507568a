"""The OpenAI-compatible source, against a server that speaks the real wire format."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lambda_asgi import Background
from resumable_chat import ConfigurationError, ResumableChat, SourceContext, SourceError
from resumable_chat.sources.openai import OpenAISource, openai_source_from_env
from resumable_chat.sources.port import iterate

from ...chats import fresh_log, story, user
from .server import Exchange, Served, openai_server

CONTEXT = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")


def source(served: Served, **options: Any) -> OpenAISource:
    given = {"model": "a-model", "api_key": "sk-x", "base_url": served.base_url, "backoff": 0.01, **options}
    return OpenAISource(**given)


async def answer(source: OpenAISource, *messages: Any) -> list[dict[str, Any]]:
    try:
        return [chunk async for chunk in iterate(source, list(messages) or [user("u", "hi")], CONTEXT)]
    finally:
        await source.aclose()


def said(chunks: list[dict[str, Any]], kind: str = "TEXT_MESSAGE_CONTENT") -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == kind)


async def hello(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.delta(role="assistant", content="")
    await exchange.delta(content="Hel")
    await exchange.delta(content="lo ü")
    await exchange.delta(finish="stop")
    await exchange.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
    await exchange.event("[DONE]")
    await exchange.close()


async def test_text_is_streamed_as_events() -> None:
    """RUN_STARTED, START, deltas, END, RUN_FINISHED with reason and usage; the request is as the protocol has it."""
    async with openai_server(hello) as served:
        chunks = await answer(source(served, system="Be kind."))
        [exchange] = served.exchanges
    assert [chunk["type"] for chunk in chunks] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert said(chunks) == "Hello ü"
    assert chunks[-1]["finishReason"] == "stop" and chunks[-1]["usage"]["totalTokens"] == 5
    assert "POST /v1/chat/completions" in exchange.head and "Bearer sk-x" in exchange.head
    assert exchange.body["stream"] is True and exchange.body["model"] == "a-model"
    expected = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    assert exchange.body["messages"] == expected


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_comes_before_the_text_as_its_own_step(name: str) -> None:
    """Both names that servers use for it."""

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(**{name: "let me "})
        await exchange.delta(**{name: "see"})
        await exchange.delta(content="42", finish="stop")
        await exchange.event("[DONE]")
        await exchange.close()

    async with openai_server(script) as served:
        chunks = await answer(source(served))
    assert said(chunks, "REASONING_MESSAGE_CONTENT") == "let me see"
    kinds = [chunk["type"] for chunk in chunks]
    assert kinds.index("STEP_STARTED") < kinds.index("STEP_FINISHED") < kinds.index("TEXT_MESSAGE_CONTENT")


async def test_parallel_tool_calls_in_fragments() -> None:
    """Two calls whose arguments come in alternating pieces are told apart by their index."""

    async def script(exchange: Exchange) -> None:
        await exchange.open()

        async def call(index: int, arguments: str, **more: Any) -> None:
            await exchange.delta(
                tool_calls=[{"index": index, "function": {"arguments": arguments, **more.pop("function", {})}, **more}]
            )

        await call(0, "", id="c0", type="function", function={"name": "weather"})
        await call(1, "", id="c1", type="function", function={"name": "time"})
        for index, piece in ((0, '{"city"'), (1, '{"zone":'), (0, ':"Bern"}'), (1, '"CET"}')):
            await call(index, piece)
        await exchange.delta(finish="tool_calls")
        await exchange.event("[DONE]")
        await exchange.close()

    async with openai_server(script) as served:
        chunks = await answer(source(served))
    arguments: dict[str, str] = {}
    for chunk in chunks:
        if chunk["type"] == "TOOL_CALL_ARGS":
            arguments[chunk["toolCallId"]] = arguments.get(chunk["toolCallId"], "") + chunk["delta"]
    assert arguments == {"c0": '{"city":"Bern"}', "c1": '{"zone":"CET"}'}
    started = [chunk["toolCallName"] for chunk in chunks if chunk["type"] == "TOOL_CALL_START"]
    assert started == ["weather", "time"] and chunks[-1]["finishReason"] == "tool_calls"


async def test_bytes_may_be_cut_anywhere() -> None:
    """Events split in the middle of a character, CRLF line ends, comments: the text is whole."""

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        delta = json.dumps({"choices": [{"delta": {"content": "zürich 😀"}}]}, ensure_ascii=False)
        done = json.dumps({"choices": [{"delta": {}, "finish_reason": "length"}]})
        stream = f": hi\r\n\r\ndata: {delta}\r\n\r\ndata:{done}\r\n\r\ndata: [DONE]\r\n\r\n".encode()
        for at in range(0, len(stream), 7):
            await exchange.raw(stream[at : at + 7])
        await exchange.close()

    async with openai_server(script) as served:
        chunks = await answer(source(served))
    assert said(chunks) == "zürich 😀" and chunks[-1]["finishReason"] == "length"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        ("401 Unauthorized", {"error": {"message": "Incorrect API key"}}, "401: Incorrect API key"),
        ("404 Not Found", {"error": "no such model"}, "404: no such model"),
        ("400 Bad Request", b"<html>bad</html>", "400: <html>bad"),
    ],
)
async def test_an_error_is_told_once(status: str, body: Any, says: str) -> None:
    """An answer that will not get better is not asked for again, and its text is kept for the operator."""

    async def script(exchange: Exchange) -> None:
        await exchange.fail(status, body)

    async with openai_server(script) as served:
        with pytest.raises(SourceError, match=says):
            await answer(source(served))
        assert len(served.exchanges) == 1


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "500 Internal Server Error"])
async def test_a_busy_server_is_asked_again(status: str) -> None:
    """Before the first token, and as Retry-After says; then the answer comes as if nothing had been."""

    async def busy(exchange: Exchange) -> None:
        await exchange.fail(status, {"error": {"message": "busy"}}, retry_after="0.01")

    async with openai_server(busy, busy, hello) as served:
        assert said(await answer(source(served))) == "Hello ü"
        assert len(served.exchanges) == 3
    async with openai_server(busy) as served:
        with pytest.raises(SourceError, match="busy"):
            await answer(source(served))
        assert len(served.exchanges) == 3


async def test_a_long_retry_after_is_not_waited_for() -> None:
    """An hour is an answer, not a wait."""

    async def busy(exchange: Exchange) -> None:
        await exchange.fail("429 Too Many Requests", {"error": {"message": "quota"}}, retry_after="3600")

    async with openai_server(busy) as served:
        async with asyncio.timeout(10):
            with pytest.raises(SourceError, match="quota"):
                await answer(source(served))


async def test_a_cut_in_mid_stream_is_an_error() -> None:
    """A half answer is never taken for a whole one, and never asked for a second time."""

    async def cut(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(content="half")
        await asyncio.sleep(0.05)
        exchange.cut()

    async def short(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(content="half")
        await exchange.close()

    async def error(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(content="half")
        await exchange.event({"error": {"message": "overloaded"}})
        await exchange.close()

    async def junk(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(content="half")
        await exchange.event("{")
        await exchange.close()

    for script, says in ((cut, "broke off"), (short, "broke off"), (error, "overloaded"), (junk, "not JSON")):
        got: list[Any] = []
        async with openai_server(script) as served:
            model = source(served)
            with pytest.raises(SourceError, match=says):
                async for chunk in iterate(model, [user("u")], CONTEXT):
                    got.append(chunk)  # noqa: PERF401 - what came before the error counts
            assert said(got) == "half" and len(served.exchanges) == 1
            await model.aclose()


async def test_a_lost_connection_before_the_first_token_is_tried_again() -> None:
    """Nothing was said yet, so nothing can be doubled."""

    async def cut(exchange: Exchange) -> None:
        exchange.cut()

    async with openai_server(cut, hello) as served:
        assert said(await answer(source(served))) == "Hello ü"


async def test_a_slow_start_is_waited_for_but_not_for_ever() -> None:
    """Silence before the first token is normal; beyond ``timeout`` it is an error."""

    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.3)
        await hello(exchange)

    async def silent(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.hung_up()

    async with openai_server(slow) as served:
        assert said(await answer(source(served, timeout=5))) == "Hello ü"
    async with openai_server(silent) as served:
        with pytest.raises(SourceError, match=r"no content for 0\.2 s"):
            await answer(source(served, timeout=0.2, retries=0))


async def test_a_stop_closes_the_call(tmp_path: Path) -> None:
    """Stopping the run from another process closes the connection to the model, which stops its costs."""
    hung_up = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(content="so ")
        await exchange.hung_up()
        hung_up.set()

    async with fresh_log(tmp_path) as log, openai_server(endless) as served:
        model, background = source(served), Background()
        await ResumableChat(log).make_session_response(
            "s", messages=[user("u")], source=model, wait_until=background.wait_until
        )
        async with asyncio.timeout(10):
            while "TEXT_MESSAGE_CONTENT" not in (await story(log, "s"))[5:]:
                await asyncio.sleep(0.02)
            assert (await ResumableChat(log).stop_session("s")).status_code == 202
            await hung_up.wait()
        await background.drain(5)
        assert (await story(log, "s"))[-1] == "<end>"
        await model.aclose()


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"OPENAI_API_KEY": "k"}, "OPENAI_MODEL"),
        ({"OPENAI_MODEL": "m"}, "OPENAI_API_KEY"),
        ({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "ftp://x"}, "OPENAI_BASE_URL"),
    ],
)
def test_settings_that_do_not_suffice_are_named(environ: dict[str, str], says: str) -> None:
    """The error names the variable to set."""
    with pytest.raises(ConfigurationError, match=says):
        openai_source_from_env(environ)


def test_a_local_server_needs_no_key() -> None:
    """Ollama and vLLM are reached by their address alone."""
    openai_source_from_env({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http://localhost:11434/v1"})
