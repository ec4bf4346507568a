"""Whatever people plug in as a source is read as chunks, and closed as an iterator, never as a source."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum
from typing import Any

import pytest

from resumable_chat.sources.port import SourceContext, SourceError, iterate

CONTEXT = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")


def text(delta: str) -> dict[str, Any]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta}


async def read(source: Any, messages: Any = ()) -> list[dict[str, Any]]:
    return [chunk async for chunk in iterate(source, messages, CONTEXT)]


async def async_generator(messages: Any, context: Any) -> AsyncIterator[Any]:
    yield "a"
    yield "b"


def generator(messages: Any, context: Any) -> Iterator[Any]:
    yield "a"
    yield "b"


async def one_argument(messages: Any) -> AsyncIterator[Any]:
    yield "a"
    yield "b"


def keyword_context(messages: Any, *, context: SourceContext) -> Iterator[Any]:
    assert context is CONTEXT
    yield "a"
    yield "b"


async def coroutine_of_an_async_iterator(messages: Any, context: Any) -> Any:
    return async_generator(messages, context)


async def coroutine_of_an_iterator(messages: Any) -> Any:
    return iter(["a", "b"])


async def nested_coroutines(messages: Any) -> Any:
    return coroutine_of_an_iterator(messages)


def function_of_a_list(messages: Any, context: Any) -> Any:
    return ["a", "b"]


async def coroutine_of_a_string(messages: Any) -> str:
    return "ab"


class AsyncObject:
    async def __call__(self, messages: Any, context: Any) -> AsyncIterator[Any]:
        yield "a"
        yield "b"


class PlainObject:
    def __call__(self, messages: Any) -> Iterator[Any]:
        yield "a"
        yield "b"

    def method(self, messages: Any, context: Any) -> Iterator[Any]:
        yield "a"
        yield "b"


@pytest.mark.parametrize(
    "source",
    [
        async_generator,
        generator,
        one_argument,
        keyword_context,
        coroutine_of_an_async_iterator,
        coroutine_of_an_iterator,
        nested_coroutines,
        function_of_a_list,
        coroutine_of_a_string,
        AsyncObject(),
        PlainObject(),
        PlainObject().method,
        lambda messages: iter(["a", "b"]),
        lambda messages, context, more=1: ["a", "b"],
    ],
)
async def test_every_kind_of_callable_is_a_source(source: Any) -> None:
    """Its strings are text deltas of the answer's message."""
    assert "".join(chunk["delta"] for chunk in await read(source)) == "ab"


@pytest.mark.parametrize(
    "source",
    [
        lambda: ["x"],
        lambda messages, context, third: [],
        lambda messages, context: None,
        lambda messages, context: 5,
        lambda messages, context: b"bytes",
        lambda messages, context: [b"bytes"],
        lambda messages, context: [None],
        lambda messages, context: [5],
        lambda messages, context: [{"no": "type"}],
        lambda messages, context: [{"type": 5}],
    ],
)
async def test_anything_else_is_an_error_that_says_what_to_do(source: Any) -> None:
    """The error says what a source must do, and what this one did."""
    with pytest.raises(SourceError, match=r"must|needs"):
        await read(source)


async def test_event_objects_become_dicts() -> None:
    """An event with ``model_dump`` is dumped by alias; an enum as the type is its value."""

    class Kind(StrEnum):
        END = "TEXT_MESSAGE_END"

    class Event:
        def model_dump(self, **options: Any) -> dict[str, Any]:
            assert options == {"mode": "json", "by_alias": True, "exclude_none": True}
            return {"type": "RUN_STARTED", "runId": "r"}

    chunks = await read(lambda messages: [Event(), {"type": Kind.END, "messageId": "m"}])
    assert chunks == [{"type": "RUN_STARTED", "runId": "r"}, {"type": "TEXT_MESSAGE_END", "messageId": "m"}]
    assert type(chunks[1]["type"]) is str


async def test_a_character_cut_between_two_strings_is_joined() -> None:
    """A half that never finds its other half becomes U+FFFD."""
    assert await read(lambda messages: ["hi \ud83d", "\ude00 \ude00", "", "\ud83d"]) == [
        text("hi "),
        text("\U0001f600 \ufffd"),
        text("\ufffd"),
    ]


async def test_a_plain_generator_runs_in_one_other_thread() -> None:
    """From its first step to its last, with the context variables of the run."""
    threads = set()

    def source(messages: Any) -> Iterator[str]:
        for _ in range(3):
            threads.add(threading.get_ident())
            yield "x"
        threads.add(threading.get_ident())

    await read(source)
    assert len(threads) == 1 and threading.get_ident() not in threads


async def test_a_slow_plain_generator_leaves_the_loop_free() -> None:
    """Others run while it blocks."""
    go = threading.Event()

    def source(messages: Any) -> Iterator[str]:
        yield "before"
        go.wait(10)
        yield "after"

    chunks = iterate(source, [], CONTEXT)
    assert (await anext(chunks))["delta"] == "before"
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    assert not waiting.done()
    go.set()
    assert (await waiting)["delta"] == "after"
    await chunks.aclose()


async def test_a_thread_is_only_so_far_ahead_of_its_reader() -> None:
    """A fast generator waits for a slow reader."""
    made = 0

    def source(messages: Any) -> Iterator[str]:
        nonlocal made
        for _ in range(10_000):
            made += 1
            yield "x"

    chunks = iterate(source, [], CONTEXT)
    await anext(chunks)
    await asyncio.sleep(0.1)
    assert made < 100
    await chunks.aclose()


async def test_a_closed_plain_generator_is_closed_in_its_thread() -> None:
    """Its ``finally`` runs, also if it was ahead of its reader."""
    closed = threading.Event()

    def source(messages: Any) -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.set()

    chunks = iterate(source, [], CONTEXT)
    await anext(chunks)
    await chunks.aclose()
    assert await asyncio.to_thread(closed.wait, 10)


async def test_a_stop_does_not_wait_for_a_plain_generator_that_blocks() -> None:
    """The run is cancelled at once; the generator is closed when its call comes back."""
    go, closed = threading.Event(), threading.Event()

    def source(messages: Any) -> Iterator[str]:
        try:
            yield "x"
            go.wait(10)
            yield "y"
        finally:
            closed.set()

    async def consume() -> None:
        async for _ in iterate(source, [], CONTEXT):
            started.set()

    started = asyncio.Event()
    task = asyncio.ensure_future(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not closed.is_set()
    go.set()
    assert await asyncio.to_thread(closed.wait, 10)


@pytest.mark.parametrize("error", [ValueError("v"), KeyError("k"), TimeoutError()])
async def test_an_exception_in_a_thread_comes_out_as_it_is(error: Exception) -> None:
    """After the chunks that came before it."""

    def source(messages: Any) -> Iterator[str]:
        yield "x"
        raise error

    got = []
    with pytest.raises(type(error)) as raised:
        async for chunk in iterate(source, [], CONTEXT):
            got.append(chunk)  # noqa: PERF401 - what came before the error counts
    assert got == [text("x")] and raised.value is error


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
async def test_a_thread_cannot_end_the_process(error: BaseException) -> None:
    """``sys.exit()`` in a source ends its run only."""

    def source(messages: Any) -> Iterator[str]:
        yield "x"
        raise error

    with pytest.raises(SourceError):
        await read(source)


async def leaks_async(messages: Any) -> AsyncIterator[str]:
    yield "x"
    raise asyncio.CancelledError


def leaks_in_a_thread(messages: Any) -> Iterator[str]:
    yield "x"
    raise asyncio.CancelledError


async def leaks_in_its_coroutine(messages: Any) -> Any:
    raise asyncio.CancelledError


async def awaits_a_cancelled_task(messages: Any) -> AsyncIterator[str]:
    yield "x"
    task = asyncio.ensure_future(asyncio.sleep(10))
    task.cancel()
    await task


@pytest.mark.parametrize("source", [leaks_async, leaks_in_a_thread, leaks_in_its_coroutine, awaits_a_cancelled_task])
async def test_a_cancellation_of_its_own_is_an_error(source: Any) -> None:
    """Only ours is a cancellation: half an answer must not look whole."""
    with pytest.raises(SourceError, match="CancelledError"):
        await read(source)


async def test_our_cancellation_stays_one() -> None:
    """The task that reads is cancelled, and a time-out around it is a time-out."""

    async def silent(messages: Any) -> AsyncIterator[str]:
        yield "x"
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await read(silent)


async def test_the_iterator_is_closed_and_the_source_is_not() -> None:
    """A source object may serve other runs, also if it is its own iterator."""
    closed: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def __aiter__(self) -> Stream:
            return self

        async def __anext__(self) -> str:
            return "x"

        async def aclose(self) -> None:
            closed.append(self.name)

    class ItsOwnIterator(Stream):
        def __call__(self, messages: Any) -> Stream:
            return self

    class Client:
        def __call__(self, messages: Any) -> Stream:
            return Stream("stream")

        async def aclose(self) -> None:
            closed.append("client")

    for source in (Client(), ItsOwnIterator("itself")):
        chunks = iterate(source, [], CONTEXT)
        await anext(chunks)
        await chunks.aclose()
    assert closed == ["stream"]


async def test_a_client_librarys_stream_is_closed_by_its_close() -> None:
    """Some have ``close`` as a coroutine, and no ``aclose``."""
    closed = []

    class Stream:
        async def __aiter__(self) -> AsyncIterator[str]:
            yield "x"

        async def close(self) -> None:
            closed.append(True)

    assert await read(lambda messages: Stream()) == [text("x")]
    assert closed == [True]


async def test_a_misspelt_type_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """With the name that was probably meant; the chunk is passed on."""
    chunk = {"type": "TEXT_MESAGE_CONTENT", "messageId": "m", "delta": "x"}
    assert await read(lambda messages: [chunk, chunk]) == [chunk, chunk]
    assert await read(lambda messages: [chunk]) == [chunk]
    [record] = caplog.records
    assert "TEXT_MESAGE_CONTENT" in record.getMessage() and "Did you mean TEXT_MESSAGE_CONTENT?" in record.getMessage()


@pytest.mark.parametrize("source", [lambda messages: [], lambda messages: iter(()), lambda messages: [""]])
async def test_a_source_that_yields_nothing_is_told(source: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One line that says what to yield."""
    assert await read(source) == []
    [record] = caplog.records
    assert "yielded nothing" in record.getMessage() and "TEXT_MESSAGE_CONTENT" in record.getMessage()


async def blocks_between(messages: Any) -> AsyncIterator[str]:
    yield "x"
    time.sleep(1.3)  # noqa: ASYNC251 - what must be noticed
    await asyncio.sleep(0)
    yield "y"


async def blocks_at_once(messages: Any) -> AsyncIterator[str]:
    time.sleep(1.3)  # noqa: ASYNC251 - what must be noticed
    yield "x"


@pytest.mark.parametrize("source", [blocks_between, blocks_at_once])
async def test_a_blocked_event_loop_is_told(source: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """One log line names the source and the way out."""
    await read(source)
    [record] = [record for record in caplog.records if record.name.startswith("resumable_chat")]
    assert source.__name__ in record.getMessage() and "plain generator" in record.getMessage()


async def test_a_plain_generator_that_sleeps_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It blocks its own thread only."""

    def source(messages: Any) -> Iterator[str]:
        time.sleep(1.3)
        yield "x"

    await read(source)
    assert not caplog.records
