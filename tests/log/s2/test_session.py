"""Append sessions on an S2 that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from resumable_chat.errors import LogUnavailable
from resumable_chat.log.port import Appended
from resumable_chat.log.s2 import S2Log
from resumable_chat.protocol.limits import MAX_BATCH_BYTES
from resumable_chat.protocol.records import NewRecord

from .servers import silent

LARGE = NewRecord(b"x" * (MAX_BATCH_BYTES - 8))


async def test_a_submitter_that_waits_for_room_is_told_at_the_deadline() -> None:
    """Some MiB may be unacknowledged; the one over that waits, fails, and nothing behind it is sent."""
    async with silent() as endpoint:
        log = S2Log(access_token="ignored", basin="some-basin", endpoints=(endpoint, endpoint), timeout=0.5)
        async with asyncio.timeout(30), log.append_session("s") as session:
            tickets: list[Awaitable[Appended]] = []
            with pytest.raises(LogUnavailable):
                while len(tickets) < 20:
                    tickets.append(await session.submit([LARGE]))
            assert len(tickets) == 5
            with pytest.raises(LogUnavailable):
                await session.submit([NewRecord(b"small")])
            for ticket in tickets:
                with pytest.raises(LogUnavailable):
                    await ticket
        await log.close()


async def test_an_acknowledgement_that_does_not_come_is_given_up() -> None:
    """Whoever awaits it, and whoever leaves the session without it, goes on after the deadline."""
    async with silent() as endpoint:
        log = S2Log(access_token="ignored", basin="some-basin", endpoints=(endpoint, endpoint), timeout=0.2)
        async with asyncio.timeout(30):
            async with log.append_session("s") as session:
                ticket = await session.submit([NewRecord(b"a")])
                with pytest.raises(LogUnavailable):
                    await ticket
            async with log.append_session("s") as session:
                await session.submit([NewRecord(b"a")])
        await log.close()
