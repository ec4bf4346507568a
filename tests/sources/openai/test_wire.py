"""Captures of model servers, byte by byte over a socket: what each must come to.

``tests/vectors/model-servers.jsonl`` has them: ``body`` is sent piece by piece (a number is a pause in seconds),
``end`` says how the connection ends, ``want`` what must come of it.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from resumable_chat import SourceContext, SourceError
from resumable_chat.sources.openai import OpenAISource
from resumable_chat.sources.port import iterate

from ..answers import check_pairs, text, thinking, tool_calls
from .server import Exchange, openai_server

CONTEXT = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")
VECTORS = Path(__file__).parents[2] / "vectors" / "model-servers.jsonl"


def cases() -> list[Any]:
    lines = VECTORS.read_text(encoding="utf-8").split("\n")
    return [pytest.param(case, id=case["name"]) for case in map(json.loads, filter(None, lines))]


def script(case: dict[str, Any]) -> Any:
    kind = {"json": "application/json", "html": "text/html"}.get(case["end"], "text/event-stream")

    async def serve(exchange: Exchange) -> None:
        await exchange.open(kind=kind)
        for piece in case["body"]:
            if isinstance(piece, str):
                await exchange.raw(piece.encode())
            else:
                await asyncio.sleep(piece)
        if case["end"] == "reset":
            await asyncio.sleep(0.05)
            exchange.cut()
        elif case["end"] == "open":
            await exchange.hung_up()
        else:
            await exchange.close()

    return serve


async def play(case: dict[str, Any], stop_after: float | None = None) -> tuple[list[dict[str, Any]], Exception | None]:
    """The chunks of a case, and the error that ended it."""
    chunks: list[dict[str, Any]] = []
    async with openai_server(script(case)) as served:
        model = OpenAISource(model="m", base_url=served.base_url, backoff=0.01, timeout=20)
        try:
            async with asyncio.timeout(stop_after):
                async for chunk in iterate(model, [{"role": "user", "content": "hi"}], CONTEXT):
                    chunks.append(chunk)  # noqa: PERF401 - what came before the error counts
        except (SourceError, TimeoutError) as error:
            return chunks, error
        finally:
            await model.aclose()
    return chunks, None


@pytest.mark.parametrize("case", cases())
async def test_a_capture_comes_to_what_it_must(case: dict[str, Any]) -> None:
    """Text, thinking, calls, usage and failure as ``want`` has them."""
    want = case["want"]
    if case["end"].startswith("stop"):
        chunks, error = await play(case, stop_after=1)
        assert isinstance(error, TimeoutError)
        assert text(chunks) == "hi " and json.dumps(chunks, ensure_ascii=False).encode()
        return
    chunks, error = await play(case)
    check_pairs(chunks, whole=error is None)
    if want.get("error"):
        assert isinstance(error, SourceError)
        assert want["error"] is True or want["error"] in str(error)
        return
    if error is not None:
        raise error
    assert text(chunks) == want.get("text", "")
    assert thinking(chunks) == want.get("thinking", "")
    assert tool_calls(chunks) == want.get("tool_calls", [])
    if "usage" in want:
        assert all(type(count) in (int, float) for count in chunks[-1]["usage"].values())
    if "tool_calls" in want:
        assert chunks[-1]["finishReason"] == "tool_calls"


HELLO = 'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ([HELLO, STOP], "close"),
        ([HELLO, STOP, USAGE], "reset"),
        ([HELLO, STOP, DONE], "open"),
        ([HELLO, DONE], "close"),
        ([HELLO, STOP, DONE, HELLO], "close"),
        ([HELLO, STOP, 'data: {"error":{"message":"late"}}\n\n'], "close"),
        ([HELLO, STOP, "data: junk\n\n"], "close"),
        ([HELLO, STOP[:-2]], "close"),
        ([HELLO, STOP, "data: [DONE]"], "close"),
        (["".join([": hi\n\n", HELLO, STOP, USAGE, DONE]).replace("\n", "\r\n")], "close"),
        (["".join([HELLO, STOP]).replace("\n", "\r")], "close"),
        (list("".join([HELLO, STOP, DONE])), "close"),
        (['data: {"choices":[{"delta":\ndata: {"content":"Hello"},\ndata: "finish_reason":"stop"}]}\n\n'], "close"),
        (["id: 1\nevent: completion\nretry: 5\n" + HELLO, STOP], "close"),
        (["data:" + HELLO[6:], STOP], "close"),
        (["\n\n\n", HELLO, STOP], "close"),
    ],
)
async def test_a_whole_answer_is_whole_whatever_the_connection_does(body: list[Any], end: str) -> None:
    """After the protocol's end nothing can make it less."""
    chunks, error = await play({"body": body, "end": end})
    assert error is None and text(chunks) == "Hello" and chunks[-1]["finishReason"] == "stop"
    check_pairs(chunks)


@pytest.mark.parametrize(
    ("body", "end", "says"),
    [
        ([HELLO], "close", "broke off in the middle"),
        ([HELLO], "reset", "broke off"),
        ([], "close", "ended its answer before it began"),
        ([": ping\n\n", ": ping\n\n"], "close", "before it began"),
        ([HELLO, HELLO[:40]], "close", "not JSON"),
        (["event: error\ndata: too many requests\n\n"], "close", "too many requests"),
        ([HELLO, 'event: error\ndata: {"message": "boom"}\n\n'], "close", "boom"),
        ([HELLO, 'error: {"code":500,"message":"context shift"}\n\n'], "close", "context shift"),
        (["upstream connect error\n"], "close", "upstream connect error"),
        ([HELLO, "Internal Server Error"], "close", "Internal Server Error"),
        (["<html><body>Sign in</body></html>"], "close", "HTML, not a stream"),
        (["\n  <!DOCTYPE html>"], "close", "HTML, not a stream"),
        (['[{"error": {"code": 429, "message": "quota"}}]'], "close", "quota"),
        (['{\n "error": {\n  "message": "spread over lines"\n }\n}\n'], "close", "spread over lines"),
        (['{"detail": "Not Found"}'], "json", "Not Found"),
        (['{"id": "x", "choices": []}'], "json", "before it began"),
    ],
)
async def test_half_an_answer_is_never_whole(body: list[Any], end: str, says: str) -> None:
    """The error quotes what the server said; what came before it was passed on."""
    chunks, error = await play({"body": body, "end": end})
    assert isinstance(error, SourceError) and says in str(error)
    assert text(chunks) == ("Hello" if HELLO in body else "")


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (['{"choices":[{"message":{"content":"Hello"},"finish_reason":null}]}'], "json"),
        (['{"choices":[{"message":{"content":"Hello"}}]}'], "close"),
        (['\ufeff {"choices":[{"message":{"content":"Hello"}}]}\n'], "html"),
        (
            [
                '{"choices":[{"delta":{"content":"Hel"}}]}\n',
                '{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}\n',
            ],
            "json",
        ),
        ([HELLO, STOP], "json"),
        ([HELLO, STOP], "html"),
    ],
)
async def test_the_content_type_does_not_decide_what_a_body_is(body: list[Any], end: str) -> None:
    """Its first character does: a stream, JSON lines, or one whole JSON answer."""
    chunks, error = await play({"body": body, "end": end})
    assert error is None and text(chunks) == "Hello"


@pytest.mark.parametrize("filler", [": ping\n\n", "data: \n\n", 'data: {"choices":[{"delta":{"content":""}}]}\n\n'])
async def test_silence_is_counted_in_content(filler: str) -> None:
    """A server that sends only comments or empty deltas is given up, in the middle as at the start."""

    async def endless(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.raw(HELLO.encode())
        while True:
            await exchange.raw(filler.encode())
            await asyncio.sleep(0.02)

    async with openai_server(endless) as served:
        model = OpenAISource(model="m", base_url=served.base_url, timeout=0.3)
        with pytest.raises(SourceError, match=r"no content for 0\.3 s"):
            async with asyncio.timeout(10):
                [chunk async for chunk in iterate(model, [], CONTEXT)]
        await model.aclose()


async def test_comments_are_no_silence_of_the_reader() -> None:
    """The time that the reader takes for a chunk is not the server's."""

    async def slow_reader(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.raw(HELLO.encode())
        await asyncio.sleep(0.1)
        await exchange.raw((HELLO + STOP + DONE).encode())
        await exchange.close()

    async with openai_server(slow_reader) as served:
        model = OpenAISource(model="m", base_url=served.base_url, timeout=0.3)
        chunks = []
        async for chunk in iterate(model, [], CONTEXT):
            chunks.append(chunk)
            if chunk["type"] == "TEXT_MESSAGE_CONTENT":
                await asyncio.sleep(0.4)
        await model.aclose()
    assert text(chunks) == "HelloHello"


async def test_a_connection_that_stays_open_ends_5_s_after_the_finish() -> None:
    """Usage may still come; for ever is too long."""

    async def stays(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.raw((HELLO + STOP + USAGE).encode())
        while True:
            await exchange.raw(b": ping\n\n")
            await asyncio.sleep(0.2)

    async with openai_server(stays) as served:
        model = OpenAISource(model="m", base_url=served.base_url)
        async with asyncio.timeout(8):
            chunks = [chunk async for chunk in iterate(model, [], CONTEXT)]
        await model.aclose()
    assert text(chunks) == "Hello" and chunks[-1]["usage"]["totalTokens"] == 3


async def test_a_redirect_is_named() -> None:
    """Following it would send the key elsewhere."""

    async def redirect(exchange: Exchange) -> None:
        await exchange.open("307 Temporary Redirect", "text/plain", Location="https://login.example/x")
        await exchange.close()

    async with openai_server(redirect) as served:
        model = OpenAISource(model="m", base_url=served.base_url)
        with pytest.raises(SourceError, match=r"redirects to https://login\.example/x: is the base URL right\?"):
            [chunk async for chunk in iterate(model, [], CONTEXT)]
        await model.aclose()


@pytest.mark.parametrize(
    "refusal",
    [
        {"error": {"message": "Unrecognized request argument supplied: stream_options"}},
        {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        b" ",
    ],
)
async def test_a_server_that_refuses_stream_options_is_asked_without(refusal: Any) -> None:
    """Once, and from then on."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.fail("400 Bad Request", refusal)

    async def answer(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.raw((HELLO + STOP + DONE).encode())
        await exchange.close()

    async with openai_server(refuse, answer) as served:
        model = OpenAISource(model="m", base_url=served.base_url)
        for _ in range(2):
            assert text([chunk async for chunk in iterate(model, [], CONTEXT)]) == "Hello"
        await model.aclose()
        asked = [exchange.body.get("stream_options") for exchange in served.exchanges]
    assert asked == [{"include_usage": True}, None, None]
