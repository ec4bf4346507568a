"""Logs of other implementations of the format, version 2.1, are read right, and ours can be read by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from resumable_chat import ResumableChat
from resumable_chat.log.port import Log
from resumable_chat.protocol.records import NewRecord, fence

from .chats import Tab, Words, fresh_log, records_of, replayed, user


def data(*chunks: dict[str, Any]) -> list[NewRecord]:
    return [NewRecord(json.dumps(chunk, indent=1).encode()) for chunk in chunks]


def question(message_id: str, text: str) -> list[NewRecord]:
    return data(
        {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "user"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": text},
        {"type": "TEXT_MESSAGE_END", "messageId": message_id},
    )


def answer(message_id: str, run_id: str, *words: str) -> list[NewRecord]:
    """Unmerged deltas, a run that is finished."""
    return data(
        {"type": "RUN_STARTED", "runId": run_id, "timestamp": 1},
        {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": word} for word in words),
        {"type": "TEXT_MESSAGE_END", "messageId": message_id},
        {"type": "RUN_FINISHED", "runId": run_id},
    )


async def write_foreign(log: Log) -> None:
    """Two finished turns and a failed one: tokens without keys, no turn records, no heartbeats."""
    await log.append("s", [fence("session-7Qw8xZ1k"), *question("u1", "one?")], fencing_token="")
    await log.append("s", answer("a1", "r1", "1", "a"), fencing_token="session-7Qw8xZ1k")
    await log.append("s", [fence("end-x9")], fencing_token="session-7Qw8xZ1k")
    await log.append("s", [fence("session-2"), *question("u2", "two?"), *answer("a2", "r2", "2")])
    await log.append("s", [fence("end-y")])
    failed = data({"type": "RUN_STARTED", "runId": "r3"}, {"type": "RUN_ERROR", "message": "An error occurred."})
    await log.append("s", [fence("session-3"), *question("u3", "three?"), *failed, fence("error-z")])


def texts(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (message["role"], "".join(part.get("content", "") for part in message["parts"] if part["type"] == "text"))
        for message in messages
    ]


async def test_a_foreign_log_replays_and_goes_on(tmp_path: Path) -> None:
    """Finished turns become one snapshot, a foreign terminal token is claimed over, and our turns follow."""
    async with fresh_log(tmp_path) as log:
        await write_foreign(log)
        chat = ResumableChat(log)
        [(_, snapshot)] = await replayed(chat, "s")
        expected = [("user", "one?"), ("assistant", "1a"), ("user", "two?"), ("assistant", "2"), ("user", "three?")]
        assert texts(snapshot["messages"])[:5] == expected
        response = await chat.make_session_response("s", messages=[user("u4", "four?")], source=Words("4"))
        assert response.status_code == 202
        [(_, snapshot)] = await replayed(ResumableChat(log), "s")
        assert texts(snapshot["messages"])[-2:] == [("user", "four?"), ("assistant", "4")]


async def test_a_foreign_running_turn_is_watched_and_stopped(tmp_path: Path) -> None:
    """A reader in mid-run gets the user's message in the snapshot and the chunks after it; a stop ends it whole."""
    async with fresh_log(tmp_path) as log:
        await write_foreign(log)
        running = answer("a5", "r5", "so ", "far")[:-2]
        await log.append("s", [fence("session-5"), *question("u5", "five?"), *running])
        chat = ResumableChat(log)
        async with Tab(chat, "s") as tab:
            await tab.until("TEXT_MESSAGE_CONTENT")
            assert texts(tab.frames[0][1]["messages"])[-1] == ("user", "five?")
            assert (await chat.make_session_response("s", messages=[user("x")], source=Words())).status_code == 409
            assert (await ResumableChat(log).stop_session("s", run_id="r5")).status_code == 202
            frames = await tab.until("RUN_FINISHED")
        assert [chunk["type"] for _, chunk in frames[1:]] == [
            "RUN_STARTED",
            "TEXT_MESSAGE_START",
            "TEXT_MESSAGE_CONTENT",
            "TEXT_MESSAGE_END",
            "RUN_FINISHED",
        ]
        assert frames[-1][1]["runId"] == "r5"


async def test_a_plain_reader_understands_ours(tmp_path: Path) -> None:
    """Who knows only data, fences, trims and text events finds every message, and each generation's end."""
    async with fresh_log(tmp_path) as log:
        chat = ResumableChat(log)
        await chat.make_session_response("s", messages=[user("u1", "one?")], source=Words("1", "a"), run_id="r1")
        await chat.make_session_response("s", messages=[user("u2", "two?")], source=Words("2"), run_id="r2")
        said: dict[str, str] = {}
        tokens = []
        for record in await records_of(log, "s"):
            if record.headers:
                assert len(record.headers) == 1 and record.headers[0][0] == b""
                assert record.headers[0][1] in (b"fence", b"trim")
                tokens.append(record.body.decode())
            elif record.body:
                chunk = json.loads(record.body)
                if chunk["type"] == "TEXT_MESSAGE_CONTENT":
                    assert "content" not in chunk
                    said[chunk["messageId"]] = said.get(chunk["messageId"], "") + chunk["delta"]
        assert list(said.values()) == ["one?", "1a", "two?", "2"]
        assert [token.startswith(("end-", "error-")) for token in tokens] == [False, True, False, True]
        assert all(len(token) <= 36 for token in tokens)
