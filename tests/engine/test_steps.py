"""Steps are carried out on a real log, and what it refuses is an answer, not an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from resumable_chat.engine.readback import read_generation
from resumable_chat.engine.steps import append, look
from resumable_chat.errors import FencingTokenMismatch, LogUnavailable, SeqNumMismatch
from resumable_chat.protocol.generation import Generation
from resumable_chat.protocol.records import HEARTBEAT, NewRecord, fence
from resumable_chat.protocol.steps import Append, CheckTail, Landed, Read, ReadBack, TailAt, Wait

from ..chats import fresh_log
from ..faults import FaultyLog


async def test_each_step_is_answered(tmp_path: Path) -> None:
    """An append lands with the caller's records behind its own; the looks say what is there."""
    async with fresh_log(tmp_path) as log:
        opening = Append([fence("session-00000000")], "", 0)
        assert await append(log, "s", opening, [HEARTBEAT, HEARTBEAT]) == Landed(0, 3)
        assert isinstance(await append(log, "s", opening), FencingTokenMismatch)
        assert isinstance(await append(log, "s", Append([HEARTBEAT], "session-00000000", 9)), SeqNumMismatch)
        tail = await look(log, "s", CheckTail())
        assert isinstance(tail, TailAt) and tail.seq_num == 3 and 0 <= tail.silence_ms < 60_000
        records = await look(log, "s", Read(2))
        assert isinstance(records, list) and [record.seq_num for record in records] == [0, 1]
        found = await look(log, "s", ReadBack(3))
        assert isinstance(found, Generation) and (found.token, found.start) == ("session-00000000", 0)
        assert await look(log, "s", Wait(0)) is None


async def test_a_log_out_of_reach_is_an_error(tmp_path: Path) -> None:
    """No answer could be fed."""
    async with fresh_log(tmp_path) as log:
        faulty = FaultyLog(log)
        faulty.unreachable = True
        with pytest.raises(LogUnavailable):
            await append(faulty, "s", Append([HEARTBEAT], ""))
        with pytest.raises(LogUnavailable):
            await look(faulty, "s", CheckTail())


@pytest.mark.parametrize("length", [1, 998, 999, 1000, 1001, 4100])
async def test_a_generation_of_any_length_is_read_back_to_its_fence(tmp_path: Path, length: int) -> None:
    """Window by window, with what came before it left out."""
    async with fresh_log(tmp_path) as log:
        await log.append("s", [fence("session-1"), HEARTBEAT, fence("end-1")])
        await log.append("s", [fence("session-2")])
        for start in range(0, length, 500):
            await log.append("s", [NewRecord(b'{"type":"x"}')] * min(500, length - start))
        found = await read_generation(log, "s", 4 + length)
        assert (found.token, found.start, found.closed) == ("session-2", 3, False)
        assert (await read_generation(log, "s", 3)).closed
