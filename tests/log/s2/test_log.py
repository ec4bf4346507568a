"""What the S2 engine promises beyond the contract: errors that say what to set, and outages that lose nothing."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from s2_sdk import Encryption

from lambda_asgi import Background
from resumable_chat import ResumableChat, create_resumable_chat
from resumable_chat.errors import AppendOutcomeUnknown, LogError, LogUnavailable
from resumable_chat.log.s2 import S2Log
from resumable_chat.protocol.limits import MAX_BATCH_BYTES
from resumable_chat.protocol.records import NewRecord, fence

from ...chats import Tab, Words, chunks_of, replayed, story, user
from ...servers import Lite, free_port
from ..engines import S2_ENDPOINT, fresh_basin
from .servers import Refusing, Wire, served, silent

pytestmark = pytest.mark.skipif(not S2_ENDPOINT, reason="needs S2 Lite: run `make test-s2`")


def log_of(basin: str, endpoint: str = S2_ENDPOINT, **options: Any) -> S2Log:
    return S2Log(access_token="ignored", basin=basin, endpoints=(endpoint, endpoint), **options)


async def pipelined(log: S2Log) -> None:
    await pipelined_as(log, "", 0)


async def pipelined_as(log: S2Log, token: str, number: int) -> None:
    async with log.append_session("s") as session:
        await (await session.submit([NewRecord(b"a")], fencing_token=token, match_seq_num=number))


async def refused(log: S2Log) -> list[str]:
    """What append, tail, read and an append session say when each of them fails."""
    said = []
    for call in (
        lambda: log.append("s", [NewRecord(b"a")]),
        lambda: log.tail("s"),
        lambda: anext(log.read("s", 0)),
        lambda: anext(log.follow("s", 0)),
        lambda: pipelined(log),
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

    async with silent() as endpoint:
        log = log_of("some-basin", endpoint, timeout=0.2)
        for call in (log.append("s", [NewRecord(b"a")]), log.tail("s")):
            async with asyncio.timeout(10):
                with pytest.raises(LogUnavailable):
                    await call
        await log.close()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "S2_ACCESS_TOKEN"),
        (403, "S2_ACCESS_TOKEN"),
        (429, "patience"),
        *((status, "Try again") for status in (500, 502, 503)),
    ],
)
async def test_a_refusal_says_what_to_set(status: int, says: str) -> None:
    """A bad token, too many requests and a broken server: each has its own text, and none of them hangs."""
    async with served(lambda: Refusing(status)) as endpoint:
        for text in await refused(log_of("some-basin", endpoint)):
            assert says in text and "because" in text and "ignored" not in text


async def test_an_idle_client_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a freeze the old connections are not trusted: the next call uses new ones, and succeeds at once."""
    async with Wire() as wire:
        log = log_of(await fresh_basin(), wire.endpoint)
        await log.append("s", [NewRecord(b"a")])
        await log.append("s", [NewRecord(b"b")])
        assert wire.opened == 1
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 300)
        await log.append("s", [NewRecord(b"c")])
        assert wire.opened == 2
        assert (await log.tail("s")).seq_num == 3
        await log.close()


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.mark.parametrize("cipher", list(Encryption), ids=str)
async def test_an_encrypted_stream_needs_its_key(cipher: Encryption) -> None:
    """With the key all goes on as ever, also at the limit of one append; without it the error says what to set."""
    basin, own = await fresh_basin(stream_cipher=cipher), key()
    log = log_of(basin, encryption_key=own)
    largest = NewRecord(b"x" * (MAX_BATCH_BYTES - 8))
    await log.append("s", [fence("one"), NewRecord(b"a")], fencing_token="", match_seq_num=0)
    await log.append("s", [largest], fencing_token="one")
    assert [record.body for batch in [b async for b in log.read("s", 0)] for record in batch] == [
        b"one",
        b"a",
        largest.body,
    ]
    await pipelined_as(log, "one", 3)
    assert (await log.tail("s")).seq_num == 4
    await log.close()
    for wrong in (key(), None):
        other = log_of(basin, encryption_key=wrong)
        with pytest.raises(LogError, match="S2_ENCRYPTION_KEY"):
            await anext(other.read("s", 0))
        await other.close()


async def test_what_is_stored_encrypted_is_not_readable_on_the_server(tmp_path: Path) -> None:
    """A whole chat with a key leaves none of its words on the server's disk; without one it does."""
    found = {}
    for cipher in (None, Encryption.AES_256_GCM):
        folder = tmp_path / str(cipher)
        folder.mkdir()
        lite = Lite(folder)
        await lite.start()
        try:
            basin = await fresh_basin(stream_cipher=cipher, endpoint=lite.endpoint)
            chat = create_resumable_chat(
                access_token="ignored",
                basin=basin,
                endpoints=(lite.endpoint, lite.endpoint),
                encryption_key=key(),
                environ={},
            )
            response = await chat.make_session_response("s", messages=[user("u", "swordfish")], source=Words("halibut"))
            assert response.status_code == 202
            [(_, snapshot)] = await replayed(chat, "s")
            assert "swordfish" in str(snapshot) and "halibut" in str(snapshot)
            await chat.close()
        finally:
            lite.kill()
        stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        found[cipher] = [word in stored for word in (b"swordfish", b"halibut")]
    assert found == {None: [True, True], Encryption.AES_256_GCM: [False, False]}


async def test_a_connection_that_died_without_a_word_is_given_up() -> None:
    """The call that waits for it fails at its deadline; the next ones use another connection and succeed."""
    async with Wire() as wire:
        log = log_of(await fresh_basin(), wire.endpoint, timeout=1)
        await log.append("s", [NewRecord(b"a")])
        for call in (
            lambda: log.append("s", [NewRecord(b"b")], match_seq_num=1),
            lambda: pipelined_as(log, "", 1),
        ):
            wire.die()
            async with asyncio.timeout(10):
                with pytest.raises(AppendOutcomeUnknown):
                    await call()
                assert (await log.tail("s")).seq_num == 1
        wire.die()
        async with asyncio.timeout(20):
            with pytest.raises(LogUnavailable):
                await log.tail("s")
            await log.append("s", [NewRecord(b"b")], match_seq_num=1)
        await log.close()
        assert wire.opened == 4


@pytest.mark.timeout(120)
async def test_connections_that_die_in_mid_answer_cost_no_word() -> None:
    """Writer and reader find another way, and the reader gets the whole answer."""
    words = [f"{index} " for index in range(100)]

    async def slow(messages: Any, context: Any) -> Any:
        for word in words:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": word}
            await asyncio.sleep(0.03)

    async with Wire() as wire:
        log = log_of(await fresh_basin(), wire.endpoint, timeout=1)
        chat, background = ResumableChat(log), Background()
        await chat.make_session_response("s", messages=[user("u")], source=slow, wait_until=background.wait_until)
        async with Tab(chat, "s") as tab:
            await tab.until("TEXT_MESSAGE_CONTENT")
            await asyncio.sleep(0.5)
            wire.die()
            frames = await tab.until("RUN_FINISHED", seconds=60)
        await background.drain(30)
        assert "".join(chunk.get("delta", "") for _, chunk in frames) == "".join(words)
        assert (await story(log, "s"))[-2:] == ["RUN_FINISHED", "<end>"]
        await chat.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["killed", "stopped"])
async def test_a_server_that_is_gone_for_a_while_loses_nothing(tmp_path: Path, fault: str) -> None:
    """S2 Lite on disk is killed in mid-answer and started again, or stopped for ten seconds: all go on."""
    words = [f"{index} " for index in range(120)]

    async def slow(messages: Any, context: Any) -> Any:
        for word in words:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": word}
            await asyncio.sleep(0.05)

    lite = Lite(tmp_path)
    await lite.start()
    try:
        log = log_of(await fresh_basin(endpoint=lite.endpoint), lite.endpoint, timeout=2)
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


async def test_a_follower_never_goes_back(tmp_path: Path) -> None:
    """S2 comes back with an empty disk: only records past those that were read are delivered, each once."""
    first, second = Lite(tmp_path / "first"), Lite(tmp_path / "second")
    for lite in (first, second):
        (tmp_path / "first").mkdir(exist_ok=True)
        (tmp_path / "second").mkdir(exist_ok=True)
        await lite.start()
    try:
        basin = await fresh_basin(endpoint=first.endpoint)
        await fresh_basin(endpoint=second.endpoint, name=basin)
        async with Wire(first.endpoint) as wire:
            log, other = log_of(basin, wire.endpoint), log_of(basin, second.endpoint)
            await log.append("s", [NewRecord(b"%d" % index) for index in range(4)])
            async with asyncio.timeout(30), aclosing(log.follow("s", 1)) as batches:
                assert [record.seq_num for record in await anext(batches)] == [1, 2, 3]
                waiting = asyncio.ensure_future(anext(batches))
                await asyncio.sleep(0.2)
                wire.lead_to(second.endpoint)
                for index in range(6):
                    await other.append("s", [NewRecord(b"new %d" % index)])
                    await asyncio.sleep(0.2)
                got = await waiting
                while got[-1].seq_num < 5:
                    got = [*got, *await anext(batches)]
                assert [(record.seq_num, record.body) for record in got] == [(4, b"new 4"), (5, b"new 5")]
            await log.close()
            await other.close()
    finally:
        first.kill()
        second.kill()
