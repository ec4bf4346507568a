"""A generation ends whole, whatever its source does and whatever happens to its process. In virtual time."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.engine.claim import Claimed
from resumable_chat.engine.runner import ABANDONED, Run, Runner
from resumable_chat.protocol import tokens
from resumable_chat.protocol.chunks import decode
from resumable_chat.protocol.records import Record, fence, fence_token
from resumable_chat.sources.port import Source, SourceContext
from resumable_chat.view.view import View

from ..simulation.loop import Process, VirtualLoop
from ..simulation.network import EPOCH_MS, NetworkLog, Server, Weather
from ..virtual import run

Chunk = dict[str, Any]
TOKEN = tokens.opening(tokens.key_of("r"))
CALM = Weather(delay=0.002, spike=0.0, lost_request=0.0, late_request=0.0, lost_answer=0.0, repeated=0.0)
TERMINALS = ("RUN_FINISHED", "RUN_ERROR")


class World:
    """One log and one claimed generation, whose runner has not begun."""

    def __init__(
        self,
        weather: Weather = CALM,
        *,
        seed: int = 1,
        on_error: Callable[[BaseException], str] = lambda error: f"public: {type(error).__name__}",
        **known: Any,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        assert isinstance(self.loop, VirtualLoop)
        self.server = Server(self.loop)
        self.log = NetworkLog(self.server, Process(self.loop, "p"), weather, random.Random(seed))
        self.server.append("s", [fence(TOKEN)], "", None)
        self.runner = Runner(
            self.log,
            Claimed("s", TOKEN, 0, 1, "r", stopped=False),
            Run(run_id="r", thread_id="t", message_id="m", messages=[], asked_id="u", **known),
            on_error=on_error,
        )

    @property
    def records(self) -> list[Record]:
        return self.server.stream("s").records

    @property
    def chunks(self) -> list[Chunk]:
        return [chunk for record in self.records if (chunk := decode(record.body)) is not None]

    @property
    def types(self) -> list[str]:
        return [chunk["type"] for chunk in self.chunks]

    @property
    def token(self) -> str:
        return self.server.stream("s").token

    @property
    def ended_at(self) -> float:
        """The loop time at which the terminal fence landed."""
        return (self.records[-1].timestamp - EPOCH_MS) / 1000

    @property
    def outcome(self) -> Chunk:
        told = [
            chunk["metadata"]["resumable"]["run"] for chunk in self.chunks if "resumable" in chunk.get("metadata", {})
        ]
        return dict(told[-1])

    def start(self, source: Source | None) -> asyncio.Task[str | None]:
        return asyncio.create_task(self.runner.run(chosen(source)))

    async def answer(self, source: Source | None) -> str | None:
        return await self.start(source)


def chosen(source: Source | None) -> Callable[[], Awaitable[Source | None]]:
    async def choose() -> Source | None:
        return source

    return choose


def text(delta: str) -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta}


def yielding(*events: Any, then: Callable[[SourceContext], Awaitable[object]] | None = None) -> Source:
    async def source(messages: Any, context: SourceContext) -> AsyncIterator[Any]:
        for event in events:
            yield event
        if then is not None:
            await then(context)

    return source


def assert_whole(world: World, *, failed: bool) -> None:
    """One terminal fence, and right before it one terminal chunk for the run."""
    fences = [token for record in world.records if (token := fence_token(record)) is not None]
    assert [token.split("-")[0] for token in fences] == ["session", "error" if failed else "end"]
    assert [kind for kind in world.types if kind in TERMINALS] == ["RUN_ERROR" if failed else "RUN_FINISHED"]
    assert fence_token(world.records[-1]) == world.token
    assert world.types[-1] in TERMINALS


async def cancelled_error(context: SourceContext) -> None:
    raise asyncio.CancelledError


async def leaked_scope(context: SourceContext) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def system_exit(context: SourceContext) -> None:
    raise SystemExit(3)


@pytest.mark.parametrize("then", [cancelled_error, leaked_scope, system_exit])
def test_a_source_that_cancels_itself_has_failed(
    then: Callable[[SourceContext], Awaitable[object]], caplog: pytest.LogCaptureFixture
) -> None:
    """Half an answer must not look whole, and the log of the server says what happened."""

    async def check() -> None:
        world = World()
        assert await world.answer(yielding(text("half"), then=then)) == world.token
        assert_whole(world, failed=True)
        assert world.outcome["outcome"] == "failed"
        assert world.chunks[-1]["message"].startswith("public: ")
        assert world.chunks[-1]["error"] == {"message": world.chunks[-1]["message"]}

    run(check())
    assert "the source of s failed" in caplog.text


@pytest.mark.parametrize("said", [None, ValueError("secret")])
def test_an_on_error_that_fails_tells_nothing(said: Any) -> None:
    """The default text takes its place."""

    def on_error(error: BaseException) -> Any:
        if said is None:
            return None
        raise said

    async def boom(context: SourceContext) -> None:
        raise RuntimeError("secret")

    async def check() -> None:
        world = World(on_error=on_error)
        await world.answer(yielding(text("half"), then=boom))
        assert world.chunks[-1]["message"] == "An error occurred."

    run(check())


def test_the_end_is_written_before_a_slow_source_unwinds() -> None:
    """At the deadline the readers get their end in time, and the source what is left of it."""
    told: dict[str, float] = {}

    async def slow(context: SourceContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(3600)
        finally:
            told["called off"] = loop.time()
            assert context.aborted.is_set()
            await asyncio.sleep(6)
            told["unwound"] = loop.time()

    async def check() -> None:
        world = World(deadline=100.0)
        await world.answer(yielding(text("half"), then=slow))
        told["returned"] = asyncio.get_running_loop().time()
        assert_whole(world, failed=True)
        assert world.chunks[-1]["code"] == "deadline" and world.outcome["outcome"] == "deadline"
        told["ended"] = world.ended_at

    run(check())
    assert 94.0 < told["ended"] < 96.0
    assert told["ended"] <= told["called off"] < 96.0
    assert told["returned"] < 100.5 and "unwound" not in told


def test_a_source_is_called_off_once_and_then_waited_for() -> None:
    """A second cancellation would cut short what it does to unwind."""
    told: list[str] = []

    async def slow(context: SourceContext) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(4)
            told.append("unwound")

    async def check() -> None:
        world = World(deadline=100.0)
        await world.answer(yielding(text("half"), then=slow))

    run(check())
    assert told == ["unwound"]


def test_a_source_that_cannot_be_called_off_writes_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """It may go on for ever; the generation has ended, and the server's log says so."""

    async def source(messages: Any, context: SourceContext) -> AsyncIterator[Any]:
        while True:
            try:
                yield text("more")
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                pass

    async def check() -> None:
        world = World(deadline=30.0)
        await world.answer(source)
        assert_whole(world, failed=True)
        assert asyncio.get_running_loop().time() < 32

    run(check())


def full_then_finished(gate: asyncio.Event) -> Source:
    async def source(messages: Any, context: SourceContext) -> AsyncIterator[Any]:
        for index in range(1_000):
            yield {"type": "CUSTOM", "name": str(index)}
        gate.set()
        yield {"type": "RUN_FINISHED", "finishReason": "stop"}

    return source


@pytest.mark.parametrize("delay", [0.002, 0.1])
def test_a_shutdown_leaves_one_terminal_whenever_it_comes(delay: float) -> None:
    """Also while the writer is full and the source's own terminal waits for room."""

    async def check(steps: int) -> bool:
        world = World(Weather(delay, 0, 0, 0, 0, 0), seed=steps)
        gate = asyncio.Event()
        running = world.start(full_then_finished(gate))
        await gate.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        finished = running.done()
        running.cancel()
        await running
        failed = world.types[-1] == "RUN_ERROR"
        assert_whole(world, failed=failed)
        if failed:
            assert world.chunks[-1]["code"] == "shutdown"
        return finished

    assert not run(check(0))
    for steps in range(1, 60):
        run(check(steps))


def test_a_shutdown_while_the_history_is_read_ends_the_run() -> None:
    """Whether the run may begin is not known yet; its readers must not wait all the same."""

    async def check() -> None:
        world = World()

        async def choose() -> Source | None:
            await asyncio.sleep(3600)
            return None

        running = asyncio.create_task(world.runner.run(choose))
        await asyncio.sleep(3)
        running.cancel()
        assert await running == world.token
        assert_whole(world, failed=True)

    run(check())


def test_a_writer_that_was_superseded_calls_its_source_off() -> None:
    """It learns of a stop within a heartbeat, and writes nothing more."""

    async def check() -> None:
        world = World()
        source_ended = asyncio.Event()

        async def wait(context: SourceContext) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                source_ended.set()

        running = world.start(yielding(text("half"), then=wait))
        await asyncio.sleep(0.5)
        world.server.append("s", [fence("end-other")], TOKEN, None)
        count = len(world.records)
        assert await running is None
        assert source_ended.is_set() and asyncio.get_running_loop().time() < 2.0
        assert len(world.records) == count

    run(check())


def test_a_stop_in_the_same_process_calls_the_source_off_at_once() -> None:
    """It need not wait for the next append to be refused."""

    async def check() -> None:
        world = World()
        running = world.start(yielding(text("half"), then=lambda context: asyncio.sleep(3600)))
        await asyncio.sleep(0.1)
        world.server.append("s", [fence("end-other")], TOKEN, None)
        count = len(world.records)
        world.runner.abort()
        assert await running is None
        assert asyncio.get_running_loop().time() < 0.2
        assert len(world.records) == count

    run(check())


def test_a_run_that_is_stopped_before_it_begins_is_shown_as_stopped() -> None:
    """Its user's message carries the outcome, for there is no answer."""

    async def check() -> None:
        world = World()
        assert await world.answer(None) == world.token
        assert_whole(world, failed=False)
        assert world.types == ["RUN_STARTED", "TEXT_MESSAGE_END", "RUN_FINISHED"]
        assert world.chunks[1]["messageId"] == "u" and world.outcome["outcome"] == "stopped"

    run(check())


def test_a_run_that_nobody_takes_is_ended() -> None:
    """Without calling the source."""

    async def check() -> None:
        world = World()
        assert await world.runner.end(ABANDONED) == world.token
        assert_whole(world, failed=True)

    run(check())


def test_tool_calls_are_followed_by_the_terminal_that_clients_wait_for() -> None:
    """The last RUN_FINISHED would leave the sending tab waiting for ever."""

    async def check() -> None:
        world = World()
        call = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f", "parentMessageId": "m"}
        await world.answer(
            yielding(
                call,
                {"type": "TOOL_CALL_END", "toolCallId": "c"},
                {"type": "RUN_FINISHED", "finishReason": "tool_calls"},
            )
        )
        finished = [chunk for chunk in world.chunks if chunk["type"] == "RUN_FINISHED"]
        assert [chunk["finishReason"] for chunk in finished] == ["tool_calls", "stop"]
        assert {chunk["runId"] for chunk in finished} == {"r"} and world.token.startswith("end-")
        assert world.outcome["outcome"] == "finished" and world.outcome["finishReason"] == "tool_calls"

    run(check())


def test_a_failure_after_the_terminal_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is whole; what its source does while it closes concerns nobody else."""

    async def boom(context: SourceContext) -> None:
        raise RuntimeError("late")

    async def check() -> None:
        world = World()
        await world.answer(yielding(text("whole"), {"type": "RUN_FINISHED", "finishReason": "stop"}, then=boom))
        assert_whole(world, failed=False)
        assert world.outcome["outcome"] == "finished"

    run(check())
    assert "late" in caplog.text


def test_what_is_dropped_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A warning names the type, and the rest of the answer is there."""

    async def check() -> None:
        world = World()
        bad = {"type": "TOOL_CALL_ARGS", "toolCallId": [], "delta": "x"}
        await world.answer(yielding(text("a"), bad, bad, text("b")))
        assert_whole(world, failed=False)
        assert "".join(chunk.get("delta", "") for chunk in world.chunks) == "ab"

    with caplog.at_level(logging.WARNING):
        run(check())
    assert caplog.text.count("TOOL_CALL_ARGS") == 1


def test_a_continuation_names_its_parent() -> None:
    """In RUN_STARTED, for tabs with a pending interrupt; the source gets it with the answers and the tools."""
    seen: list[SourceContext] = []

    async def look(context: SourceContext) -> None:
        seen.append(context)

    async def check() -> None:
        world = World(parent_run_id="p", resume=[{"interruptId": "i"}], tools=[{"name": "f"}])
        await world.answer(yielding(text("a"), then=look))
        started = world.chunks[0]
        assert (started["type"], started["runId"], started["parentRunId"], started["threadId"]) == (
            "RUN_STARTED",
            "r",
            "p",
            "t",
        )

    run(check())
    assert (seen[0].parent_run_id, seen[0].resume, seen[0].tools) == ("p", [{"interruptId": "i"}], [{"name": "f"}])


_TYPES = (
    *("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TOOL_CALL_START", "TOOL_CALL_ARGS"),
    *("TOOL_CALL_END", "TOOL_CALL_RESULT", "RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "CUSTOM", "STEP_STARTED"),
    *("STEP_FINISHED", "REASONING_START", "REASONING_MESSAGE_CONTENT", "REASONING_END", "MESSAGES_SNAPSHOT"),
    *("REASONING_ENCRYPTED_VALUE", "STATE_DELTA", "NO_SUCH_TYPE"),
)
_KEYS = (
    *("messageId", "parentMessageId", "toolCallId", "toolCallName", "runId", "threadId", "delta", "content", "role"),
    *("metadata", "name", "value", "messages", "usage", "message", "error", "code", "finishReason", "outcome", "input"),
    *("encryptedValue", "entityId", "subtype", "stepName", "signature", "state"),
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(
        ["m", "u", "r", "c", "tool_calls", "user", "resumable.turn", "structured-output.start", "\ud83d"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=6,
)
_EVENTS = st.builds(
    lambda kind, more: {**more, "type": kind},
    st.sampled_from(_TYPES),
    st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(events=st.lists(_EVENTS | _JSON, max_size=10), fails=st.booleans())
def test_any_json_as_events_leaves_a_whole_generation_that_can_be_read(events: list[Any], fails: bool) -> None:
    """One terminal fence, at least one terminal chunk before it, and messages for the next reader."""

    async def boom(context: SourceContext) -> None:
        raise RuntimeError("late")

    async def check() -> None:
        world = World()
        await world.answer(yielding(*events, then=boom if fails else None))
        fences = [token for record in world.records if (token := fence_token(record)) is not None]
        assert len(fences) == 2 and tokens.is_terminal(fences[1])
        assert [kind for kind in world.types if kind in TERMINALS]
        view = View()
        for _ in view.feed(world.records):
            pass
        assert view.generation is not None
        assert not view.running and not view.generation.parts.open
        json.loads(view.json.encode().data)

    logging.disable(logging.CRITICAL)
    try:
        run(check())
    finally:
        logging.disable(logging.NOTSET)
