"""Sends, replays and stops of one chat object: what the log holds, and what readers see."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from lambda_asgi import Background
from resumable_chat import ConfigurationError, ResumableChat, create_resumable_chat
from resumable_chat.protocol import tokens
from resumable_chat.protocol.records import NewRecord, fence, trim
from resumable_chat.protocol.turns import Turn

from ..chats import (
    Tab,
    Words,
    assistant,
    chunks_of,
    emptied,
    fresh_chat,
    fresh_log,
    records_of,
    replayed,
    story,
    user,
)
from ..faults import LOST_ANSWER, LOST_REQUEST, FaultyLog

PLAIN = ["resumable.turn", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]
ANSWER = ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"]
STOPPED = ["RUN_STARTED", "TEXT_MESSAGE_END", "RUN_FINISHED"]


async def send(chat: ResumableChat, source: Words, *messages: Any, **options: Any) -> int:
    response = await chat.make_session_response("s", messages=list(messages) or [user("u1")], source=source, **options)
    return response.status_code


def snapshot(frames: list[tuple[int, dict[str, Any]]]) -> list[tuple[str, str]]:
    """The newest snapshot: ids and texts."""
    chunk = [chunk for _, chunk in frames if chunk["type"] == "MESSAGES_SNAPSHOT"][-1]
    return [
        (message["id"], "".join(part.get("content", "") for part in message["parts"] if part["type"] == "text"))
        for message in chunk["messages"]
    ]


# --- Sending ------------------------------------------------------------------------------------------------


async def test_half_a_character_does_not_reach_a_model(tmp_path: Path) -> None:
    """The model gets U+FFFD, which every client library can encode; the chat keeps what was sent."""
    seen: list[Any] = []

    async def source(messages: Any, context: Any) -> Any:
        seen.extend(messages)
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "answer"}

    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        response = await chat.make_session_response("s", messages=[user("u1", "half \ud83d")], source=source)
        assert response.status_code == 202
        assert [message["parts"][0]["content"] for message in seen] == ["half \ufffd"]
        assert snapshot(await replayed(chat, "s"))[0] == ("u1", "half \ud83d")
        await chat.close()


async def test_a_send_stores_the_message_the_answer_and_its_end(tmp_path: Path) -> None:
    """One generation: opening fence, the turn, its text events, the run, the terminal fence."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        assert await send(chat, Words("Hello ", "you")) == 202
        assert await story(log, "s") == ["<session>", *PLAIN, *ANSWER, "<end>"]
        started, finished = (chunk for chunk in await chunks_of(log, "s") if chunk["type"].startswith("RUN_"))
        assert started["runId"] == finished["runId"]


async def test_202_comes_before_the_answer_and_after_the_message(tmp_path: Path) -> None:
    """With ``wait_until`` the response does not wait for the source, but for the user's message to be durable."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        source = Words("a", gate=gate)
        assert await send(chat, source, wait_until=background.wait_until) == 202
        assert (await story(log, "s"))[:5] == ["<session>", *PLAIN]
        gate.set()
        await background.drain(10)
        assert (await story(log, "s"))[-1] == "<end>"


async def test_the_same_send_twice_runs_once(tmp_path: Path) -> None:
    """While it runs, after it ended, and after later turns: 202, and nothing runs again."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        source = Words("a", gate=gate)
        assert await send(chat, source, run_id="r", wait_until=background.wait_until) == 202
        assert await send(chat, source, run_id="r") == 202
        gate.set()
        await background.drain(10)
        assert await send(chat, source, run_id="r") == 202
        assert source.calls == 1 and len(await records_of(log, "s")) == 11
        assert await send(chat, source, user("u1"), assistant("a", "x"), user("u2"), run_id="r2") == 202
        assert await send(ResumableChat(log), source, run_id="r") == 202
        assert source.calls == 2
        messages = snapshot(await replayed(chat, "s"))
        assert [text for _, text in messages] == ["hi", "a", "hi", "a"], messages


async def test_a_second_sender_is_told_to_wait(tmp_path: Path) -> None:
    """409 while another run of a living writer is in the log; nothing of the second send is stored."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        await send(chat, Words("a", gate=gate), run_id="r", wait_until=background.wait_until)
        other = Words("b")
        assert await send(ResumableChat(log), other, user("u2"), run_id="r2") == 409
        gate.set()
        await background.drain(10)
        assert other.calls == 0 and "u2" not in str(await chunks_of(log, "s"))


async def test_a_known_run_with_another_message_is_refused(tmp_path: Path) -> None:
    """422, while it runs and after it ended, from its process and another; the same message again is 202."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        source = Words("a", gate=gate)
        await send(chat, source, run_id="r", wait_until=background.wait_until)
        for running in (True, False):
            for sender in (chat, ResumableChat(log)):
                for other in (user("u1", "other"), user("u2")):
                    response = await sender.make_session_response("s", messages=[other], source=source, run_id="r")
                    assert response.status_code == 422 and "retry-after" not in response.headers
                    assert "another message" in json.loads(bytes(response.body))["detail"]
                assert await send(sender, source, run_id="r") == 202
            if running:
                gate.set()
                await background.drain(10)
        assert source.calls == 1 and (await story(log, "s")).count("resumable.turn") == 1


async def test_a_run_id_that_was_used_long_ago_does_not_cost_a_message(tmp_path: Path) -> None:
    """Behind other runs, a known run with another message is a new one; with the same message it does not run again."""
    async with fresh_log(tmp_path) as log:
        chat, source = ResumableChat(log), Words("a")
        for index, run_id in enumerate(("r1", "r2")):
            await send(chat, source, user(f"u{index}"), run_id=run_id)
        assert await send(chat, source, user("new"), run_id="r1") == 202 and source.calls == 3
        await send(chat, source, user("u2"), run_id="r3")
        assert await send(chat, source, user("new"), run_id="r1") == 202 and source.calls == 4
        assert "new" in [message_id for message_id, _ in snapshot(await replayed(ResumableChat(log), "s"))]


async def test_of_racing_senders_one_wins(tmp_path: Path) -> None:
    """Ten processes send different messages at once: one runs, nine get 409, the log holds one generation."""
    async with fresh_log(tmp_path) as log:
        gate, background = asyncio.Event(), Background()
        source = Words("a", gate=gate)
        statuses = await asyncio.gather(
            *(
                send(ResumableChat(log), source, user(f"u{n}"), run_id=f"r{n}", wait_until=background.wait_until)
                for n in range(10)
            )
        )
        gate.set()
        await background.drain(10)
        assert sorted(statuses) == [202] + [409] * 9
        assert source.calls == 1 and await story(log, "s") == ["<session>", *PLAIN, *ANSWER, "<end>"]


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_ANSWER])
async def test_a_claim_with_an_unknown_outcome_lands_once(tmp_path: Path, fault: str) -> None:
    """The claim is repeated, and recognised when it was there already."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(FaultyLog(log, {0: fault}))
        source = Words("a")
        assert await send(chat, source, run_id="r") == 202
        assert source.calls == 1 and await story(log, "s") == ["<session>", *PLAIN, *ANSWER, "<end>"]


def _run_of(run_id: str) -> list[NewRecord]:
    chunks = [
        {"type": "RUN_STARTED", "runId": run_id},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
    ]
    return [NewRecord(json.dumps(chunk).encode()) for chunk in chunks]


async def test_a_failing_source_shows_no_detail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Readers see the text of ``on_error`` alone; the exception goes to the operator's log."""
    async with fresh_log(tmp_path) as log:
        with caplog.at_level(logging.ERROR):
            await send(ResumableChat(log), Words("a", error=RuntimeError("secret 42")))
        assert "secret 42" in caplog.text
        assert (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"]
        assert "secret" not in str(await records_of(log, "s"))
        custom = ResumableChat(log, on_error=lambda error: f"sorry: {error}")
        await send(custom, Words("a", error=RuntimeError("told")), user("u2"))
        assert (await chunks_of(log, "s"))[-1]["message"] == "sorry: told"


@pytest.mark.parametrize("bad", [{"no": "type"}, b"text", 7])
async def test_a_source_that_yields_nonsense_ends_its_run(tmp_path: Path, bad: Any) -> None:
    """What is no event is a RUN_ERROR; what came before it is kept, and the chat can go on."""

    async def source(messages: Any, context: Any) -> Any:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "kept"}
        yield bad

    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        response = await chat.make_session_response("s", messages=[user("u1")], source=source)
        assert response.status_code == 202
        assert (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"]
        assert [text for _, text in snapshot(await replayed(chat, "s"))] == ["hi", "kept"]
        assert await send(chat, Words("ok"), user("u2")) == 202


async def test_an_oversized_chunk_ends_the_run_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A tool result over a megabyte cannot be stored: RUN_ERROR, and the operator's log has its size."""

    async def source(messages: Any, context: Any) -> Any:
        yield {"type": "CUSTOM", "name": "big", "value": "x" * 1_200_000}

    async with fresh_log(tmp_path) as log:
        await ResumableChat(log).make_session_response("s", messages=[user("u1")], source=source)
        assert (await story(log, "s"))[-2:] == ["RUN_ERROR", "<error>"]
        assert "over the limit" in caplog.text


async def test_a_large_message_is_stored_or_refused_with_413(tmp_path: Path) -> None:
    """Over half a megabyte, the text events that only repeat it are left out; over the limit, nothing is stored."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        assert await send(chat, Words("a"), user("u1", "x" * 700_000)) == 202
        assert (await story(log, "s"))[:3] == ["<session>", "resumable.turn", "RUN_STARTED"]
        length = len(await records_of(log, "s"))
        assert await send(chat, Words("a"), user("u2", "x" * 1_100_000)) == 413
        assert len(await records_of(log, "s")) == length


async def test_a_run_near_the_deadline_ends_itself(tmp_path: Path) -> None:
    """Before the platform kills the process, the run ends with code ``deadline`` and the source is closed."""
    async with fresh_log(tmp_path) as log:
        source = Words("a", gate=asyncio.Event())
        deadline = asyncio.get_running_loop().time() + 5.2
        async with asyncio.timeout(5):
            await send(ResumableChat(log), source, deadline=deadline)
        assert (await chunks_of(log, "s"))[-1]["code"] == "deadline"
        assert (await story(log, "s"))[-1] == "<error>" and source.closed.is_set()


async def test_a_shutdown_ends_the_run(tmp_path: Path) -> None:
    """A process that is told to end closes its runs before it goes."""
    async with fresh_log(tmp_path) as log:
        background, source = Background(), Words("a", gate=asyncio.Event())
        await send(ResumableChat(log), source, wait_until=background.wait_until)
        await source.started.wait()
        await background.drain(0.1)
        assert (await chunks_of(log, "s"))[-1]["code"] == "shutdown"
        assert (await story(log, "s"))[-1] == "<error>"


async def test_a_log_out_of_reach_is_503(tmp_path: Path) -> None:
    """Send, replay and stop say that nothing was lost and that trying again helps."""
    async with fresh_log(tmp_path) as log:
        faulty = FaultyLog(log)
        faulty.unreachable = True
        chat = ResumableChat(faulty)
        for response in (
            await chat.make_session_response("s", messages=[user("u")], source=Words("a")),
            await chat.replay("s"),
            await chat.stop_session("s"),
        ):
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert "try again" in json.loads(bytes(response.body))["detail"]


# --- Stopping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_stop_ends_the_run_and_its_source(tmp_path: Path, same_process: bool) -> None:
    """From this process or another: RUN_FINISHED, the terminal fence, nothing after it, and the source is closed."""
    async with fresh_log(tmp_path) as log:
        chat, background = ResumableChat(log), Background()
        source = Words("a", gate=asyncio.Event())
        await send(chat, source, run_id="r", wait_until=background.wait_until)
        await source.started.wait()
        await asyncio.sleep(0.1)
        other = chat if same_process else ResumableChat(log)
        assert (await other.stop_session("s", run_id="r")).status_code == 202
        async with asyncio.timeout(5):
            await source.closed.wait()
        await background.drain(5)
        told = await story(log, "s")
        assert told == ["<session>", *PLAIN, *ANSWER, "<end>"]
        *_, end, last = await chunks_of(log, "s")
        assert end["metadata"]["resumable"]["run"]["outcome"] == "stopped"
        assert last == {"type": "RUN_FINISHED", "runId": "r", "threadId": "s", "finishReason": "stop"}
        assert (await other.stop_session("s")).status_code == 204
        assert await send(chat, Words("b"), user("u2"), run_id="r2") == 202


async def test_a_stop_whose_answer_was_lost_says_that_it_stopped(tmp_path: Path) -> None:
    """The end that landed unnoticed is recognised: 202, not 204, and nothing is left behind for a later run."""
    async with fresh_log(tmp_path) as log:
        background, source = Background(), Words("a", gate=asyncio.Event())
        await send(ResumableChat(log), source, wait_until=background.wait_until)
        await source.started.wait()
        await asyncio.sleep(0.1)
        stopper = ResumableChat(FaultyLog(log, {1: LOST_ANSWER}))
        run_id = next(chunk["runId"] for chunk in await chunks_of(log, "s") if "runId" in chunk)
        assert (await stopper.stop_session("s", run_id=run_id)).status_code == 202
        await background.drain(5)
        assert await story(log, "s") == ["<session>", *PLAIN, *ANSWER, "<end>"]


async def test_a_late_answer_to_a_stop_leaves_the_next_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that begins between the stop and the news of it is not called off."""
    from resumable_chat import chat as module

    landed, told = asyncio.Event(), asyncio.Event()
    stop = module.stop

    async def slow_stop(*args: Any, **options: Any) -> Any:
        stopped = await stop(*args, **options)
        landed.set()
        await told.wait()
        return stopped

    monkeypatch.setattr(module, "stop", slow_stop)
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        first = Words("a", gate=asyncio.Event())
        await send(chat, first, run_id="r1", wait_until=background.wait_until)
        await first.started.wait()
        stopping = asyncio.create_task(chat.stop_session("s", run_id="r1"))
        await landed.wait()
        await first.closed.wait()
        await background.drain(5)
        second = Words("b", gate=gate)
        assert await send(chat, second, user("u2"), run_id="r2", wait_until=background.wait_until) == 202
        await second.started.wait()
        told.set()
        assert (await stopping).status_code == 202
        gate.set()
        await background.drain(10)
        assert (await story(log, "s"))[-2:] == ["RUN_FINISHED", "<end>"]


async def test_a_stop_before_its_run_wins(tmp_path: Path) -> None:
    """The message is stored, the run is shown as stopped, the source is never called; later runs are free."""
    async with fresh_log(tmp_path) as log:
        chat, source = ResumableChat(log), Words("a")
        assert (await chat.stop_session("s", run_id="r")).status_code == 204
        assert await send(chat, source, run_id="r") == 202
        assert source.calls == 0
        assert await story(log, "s") == ["<end>", "<session>", *PLAIN, *STOPPED, "<end>"]
        assert await send(chat, source, user("u2"), run_id="r2") == 202 and source.calls == 1


async def test_a_stop_of_another_run_stops_nothing(tmp_path: Path) -> None:
    """A stop that names a run leaves the one that runs alone."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        await send(chat, Words("a", gate=gate), run_id="r", wait_until=background.wait_until)
        assert (await chat.stop_session("s", run_id="other")).status_code == 204
        gate.set()
        await background.drain(10)
        assert (await story(log, "s"))[-1] == "<end>"
        assert (await chunks_of(log, "s"))[-1]["type"] == "RUN_FINISHED"


async def test_stopping_can_be_switched_off(tmp_path: Path) -> None:
    """403 when the server does not let clients stop."""
    async with fresh_chat(tmp_path, enable_stop=False) as chat:
        assert (await chat.stop_session("s")).status_code == 403


async def test_a_stop_wins_against_a_busy_writer(tmp_path: Path) -> None:
    """A writer that appends all the time cannot keep a stop from landing."""

    async def chatter(messages: Any, context: Any) -> Any:
        while True:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "x"}
            await asyncio.sleep(0)

    async with fresh_log(tmp_path) as log:
        background = Background()
        await ResumableChat(log).make_session_response(
            "s", messages=[user("u")], source=chatter, wait_until=background.wait_until
        )
        await asyncio.sleep(0.3)
        async with asyncio.timeout(20):
            assert (await ResumableChat(log).stop_session("s")).status_code == 202
        await background.drain(5)
        assert (await story(log, "s"))[-2:] == ["RUN_FINISHED", "<end>"]


# --- Lists --------------------------------------------------------------------------------------------------


async def shown(chat: ResumableChat) -> list[tuple[str, str]]:
    return snapshot(await replayed(chat, "s"))


@pytest.mark.parametrize("same_process", [True, False])
async def test_what_a_page_changes_in_its_list_stays_changed(tmp_path: Path, same_process: bool) -> None:
    """Initial messages, a system message put first, a deleted and a corrected exchange: for every later reader."""
    async with fresh_log(tmp_path) as log:
        first = ResumableChat(log)

        def chat() -> ResumableChat:
            return first if same_process else ResumableChat(log)

        async def sent(*messages: Any) -> list[tuple[str, str]]:
            cursor = max(0, (await log.tail("s")).seq_num - 1)
            assert await send(chat(), Words("answer"), *messages, seen=cursor) == 202
            return await shown(ResumableChat(log))

        messages: Any = [assistant("hello", "How can I help?"), user("u1")]
        listed = await sent(*messages)
        assert [text for _, text in listed] == ["How can I help?", "hi", "answer"]
        messages = [*messages, assistant(listed[-1][0], "answer"), user("u2", "more")]
        listed = await sent(*messages)
        system = {"id": "sys", "role": "system", "parts": [{"type": "text", "content": "be kind"}]}
        messages = [system, *messages, assistant(listed[-1][0], "answer"), user("u3", "even more")]
        listed = await sent(*messages)
        assert [text for _, text in listed] == [
            *("be kind", "How can I help?", "hi", "answer", "more", "answer", "even more", "answer")
        ]
        kept = [system, messages[1], *messages[4:], assistant(listed[-1][0], "corrected")]
        listed = await sent(*kept, user("u4", "last"))
        assert [text for _, text in listed] == [
            *("be kind", "How can I help?", "more", "answer", "even more", "corrected", "last", "answer")
        ]


async def test_two_tabs_do_not_undo_each_other(tmp_path: Path) -> None:
    """What one tab deleted does not come back with a send of another that had not seen it."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await send(chat, Words("one"), user("u1"), seen=0)
        answer = assistant((await shown(chat))[-1][0], "one")
        await send(chat, Words("two"), user("u1"), answer, user("u2"), seen=(await log.tail("s")).seq_num - 1)
        stale = (await log.tail("s")).seq_num - 1
        second = assistant((await shown(chat))[-1][0], "two")
        await send(chat, Words("three"), user("u1"), answer, user("u3"), seen=stale)
        await send(ResumableChat(log), Words("four"), user("u1"), answer, user("u2"), second, user("u4"), seen=stale)
        assert [text for _, text in await shown(chat)] == ["hi", "one", "hi", "three", "hi", "four"]


async def test_a_new_chat_too_long_for_one_append_says_what_it_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest messages are stored; the operator's log has how many are not."""
    async with fresh_log(tmp_path) as log:
        history = [assistant(f"a{index}", "x" * 100_000) for index in range(20)]
        with caplog.at_level(logging.WARNING):
            assert await send(ResumableChat(log), Words("a"), *history, user("u1")) == 202
        assert "10 older messages of a send to s are not stored" in caplog.text
        assert len(await shown(ResumableChat(log))) == 12


# --- Replaying ----------------------------------------------------------------------------------------------


async def test_a_finished_chat_is_one_snapshot(tmp_path: Path) -> None:
    """A reload of an idle chat gets its messages in one frame, whose id is the cursor to go on from."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await send(chat, Words("a ", "b"))
        [(cursor, chunk)] = await replayed(chat, "s")
        assert cursor == (await log.tail("s")).seq_num
        assert [message["role"] for message in chunk["messages"]] == ["user", "assistant"]
        assert await replayed(chat, "s", cursor) == []


async def test_an_unknown_chat_says_so_at_once(tmp_path: Path) -> None:
    """A chat that was never used is an empty snapshot, so that a page need not wait to say that there is nothing."""
    async with fresh_chat(tmp_path) as chat:
        assert await replayed(chat, "s") == [(0, {"type": "MESSAGES_SNAPSHOT", "messages": []})]


async def test_two_replays_give_the_same_bytes(tmp_path: Path) -> None:
    """Ids and dates come from the log, so a fresh process says exactly what a warm one says."""
    async with fresh_log(tmp_path) as log:
        await send(ResumableChat(log), Words("a"))
        first = await (await ResumableChat(log).replay("s", live=False)).body_iterator.__anext__()  # type: ignore[attr-defined]
        assert first == b": open\n\n"
        assert await replayed(ResumableChat(log), "s") == await replayed(ResumableChat(log), "s")


async def test_a_reload_in_mid_answer_gets_the_rest(tmp_path: Path) -> None:
    """Snapshot with the user's message, then the answer's chunks so far, then live; nothing twice."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log), Background(), asyncio.Event()
        source = Words("one ", "two ", gate=gate)
        await send(chat, source, wait_until=background.wait_until)
        await source.started.wait()
        await asyncio.sleep(0.2)
        async with Tab(ResumableChat(log), "s") as late, Tab(chat, "s") as other:
            await late.until("TEXT_MESSAGE_CONTENT")
            gate.set()
            frames = await late.until("RUN_FINISHED")
            assert await other.until("RUN_FINISHED") == frames
        assert [chunk["type"] for _, chunk in frames] == ["MESSAGES_SNAPSHOT", *ANSWER]
        assert snapshot(frames) == [("u1", "hi")]
        assert "".join(chunk.get("delta", "") for _, chunk in frames) == "one two "
        await background.drain(5)


async def test_every_cursor_goes_on_where_it_was(tmp_path: Path) -> None:
    """For each event id of a running answer, the rest after it is exactly the rest; older cursors get a snapshot."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await send(chat, Words("a"))
        await log.append("s", [fence(tokens.opening(None)), *_run_of("r")])
        turn = Turn(user("u2"), None, None, None).chunk()
        await log.append("s", [NewRecord(json.dumps(turn).encode())])
        for word in ("x", "y", "z"):
            delta = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": word}
            await log.append("s", [NewRecord(json.dumps(delta).encode())])
        tail = (await log.tail("s")).seq_num
        for cursor, rest in ((tail, ""), (tail - 1, "z"), (tail - 2, "yz"), (tail - 3, "xyz")):
            frames = await replayed(chat, "s", cursor)
            assert "".join(chunk["delta"] for _, chunk in frames) == rest
            assert not frames or frames[-1][0] == tail
        for cursor in (0, 3, tail + 1, 10**15):
            assert (await replayed(chat, "s", cursor))[0][1]["type"] == "MESSAGES_SNAPSHOT"


async def test_a_reader_that_keeps_coming_back_sees_each_chunk_once(tmp_path: Path) -> None:
    """Reconnecting with the last id after every few frames adds up to the whole answer."""
    async with fresh_log(tmp_path) as log:
        words = [f"{index} " for index in range(60)]

        async def slow(messages: Any, context: Any) -> Any:
            for word in words:
                yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": word}
                await asyncio.sleep(0.01)

        background, cursor, got = Background(), None, ""
        await ResumableChat(log).make_session_response(
            "s", messages=[user("u")], source=slow, wait_until=background.wait_until
        )
        finished = False
        async with asyncio.timeout(30):
            while not finished:
                async with Tab(ResumableChat(log), "s", cursor) as tab:
                    await asyncio.sleep(0.12)
                for at, chunk in tab.frames:
                    assert cursor is None or at > cursor
                    cursor = at
                    got += chunk.get("delta", "")
                    finished = finished or chunk["type"] == "RUN_FINISHED"
        assert got == "".join(words)
        await background.drain(5)


async def test_a_watching_tab_gets_each_later_turn_with_a_snapshot(tmp_path: Path) -> None:
    """At each turn a snapshot with the user's message comes before the run, also when the answer is edited away."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await send(chat, Words("a"))
        async with Tab(chat, "s") as tab:
            await tab.until("MESSAGES_SNAPSHOT")
            await send(chat, Words("b"), user("u1"), assistant("a1", "a"), user("u2", "more"))
            frames = await tab.until("RUN_FINISHED")
            assert [chunk["type"] for _, chunk in frames] == ["MESSAGES_SNAPSHOT", "MESSAGES_SNAPSHOT", *ANSWER]
            assert [text for _, text in snapshot(frames)] == ["hi", "a", "more"]
            seen = frames[-1][0] + 1
            await send(chat, Words("c"), user("u1", "edited"), seen=seen)
            await tab.until("RUN_FINISHED", times=2)
            assert snapshot(tab.frames) == [("u1", "edited")]
        assert [text for _, text in snapshot(await replayed(ResumableChat(log), "s"))] == ["edited", "c"]


async def test_records_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    """Foreign, corrupt and empty records anywhere in the log do not keep a reader from the rest."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await log.append("s", [NewRecord(b"junk"), NewRecord(b"{}"), NewRecord(b"\xff\x00", ((b"a", b"b"),))])
        await send(chat, Words("a"))
        await log.append("s", [NewRecord(b"[1"), NewRecord(b""), NewRecord(b'{"type":"MESSAGES_SNAPSHOT"}')])
        await send(chat, Words("b"), user("u1"), assistant("x", "a"), user("u2"))
        assert [text for _, text in snapshot(await replayed(ResumableChat(log), "s"))] == ["hi", "a", "hi", "b"]


async def test_a_trimmed_log_starts_at_its_first_fence(tmp_path: Path) -> None:
    """What was trimmed away is gone; what is left is readable, and the chat goes on."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await send(chat, Words("a"))
        await log.append("s", [trim((await log.tail("s")).seq_num - 3)])
        await send(chat, Words("b"), user("u2"))
        assert [text for _, text in snapshot(await replayed(ResumableChat(log), "s"))][-2:] == ["hi", "b"]


async def test_a_log_that_was_trimmed_whole_is_empty(tmp_path: Path) -> None:
    """Nothing readable is left: a replay says nothing, and a new turn begins a new chat."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await send(chat, Words("a"))
        await log.append("s", [trim(2**63 - 1)])
        await emptied(log, "s")
        async with asyncio.timeout(10):
            assert "hi" not in str(await replayed(ResumableChat(log), "s"))
            await send(chat, Words("b"), user("u2"))
            assert [text for _, text in snapshot(await replayed(ResumableChat(log), "s"))] == ["hi", "b"]


async def test_a_reader_closes_an_abandoned_run(tmp_path: Path) -> None:
    """When a running generation is silent for the lease, a reader ends it, and sees the error itself."""
    async with fresh_log(tmp_path) as log:
        await log.append("s", [fence(tokens.opening("k" * 12)), *_run_of("dead")], fencing_token="")
        chats = [ResumableChat(log, lease_duration_ms=300) for _ in range(3)]
        async with Tab(chats[0], "s") as one, Tab(chats[1], "s") as two, Tab(chats[2], "s") as three:
            for tab in (one, two, three):
                frames = await tab.until("RUN_ERROR")
                assert frames[-1][1]["code"] == "writer_lost" and frames[-1][1]["runId"] == "dead"
        assert (await story(log, "s"))[3:] == ["TEXT_MESSAGE_END", "RUN_ERROR", "<error>"]


async def test_the_response_s_lease_breaks_off_a_running_body(tmp_path: Path) -> None:
    """At its end a body in mid-run raises, so that clients come back; an idle one ends after a keep-alive."""
    async with fresh_log(tmp_path) as log:
        chat, background, gate = ResumableChat(log, response_lease=0.3), Background(), asyncio.Event()
        await send(chat, Words("a", gate=gate), wait_until=background.wait_until)
        async with Tab(chat, "s") as tab:
            await tab.until("end")
            assert "lease" in str(tab.error)
        gate.set()
        await background.drain(5)
        async with Tab(chat, "s") as tab:
            await tab.until("end")
            assert tab.error is None and tab.body.endswith(b": keep-alive\n\n")


@pytest.mark.parametrize(
    "options", [{"mode": "other"}, {"batch_size": 0}, {"lease_duration_ms": 10}, {"linger_duration_ms": -1}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """A wrong option is an error at the start, with what would be right."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        create_resumable_chat(**{"environ": {}, **options})
