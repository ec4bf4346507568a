"""How many calls and sessions a process opens on S2, and what it says when that is too many."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

import pytest

from resumable_chat.errors import ConfigurationError, LogUnavailable
from resumable_chat.log.s2 import S2Log
from resumable_chat.protocol.records import NewRecord

from .servers import silent


def log_of(endpoint: str, **options: Any) -> S2Log:
    return S2Log(access_token="ignored", basin="some-basin", endpoints=(endpoint, endpoint), **options)


async def test_what_is_open_is_bounded() -> None:
    """One call or session too many fails at once, with one line; as soon as one ends, another is let in."""
    async with silent() as endpoint:
        log = log_of(endpoint, timeout=0.5, max_open=3)
        following = [asyncio.ensure_future(anext(log.follow(f"s{index}", 0))) for index in range(2)]
        await asyncio.sleep(0)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(log.append_session("s"))
            for call in (
                log.append("s", [NewRecord(b"a")]),
                log.tail("s"),
                anext(log.read("s", 0)),
                anext(log.follow("s", 0)),
                log.append_session("t").__aenter__(),
            ):
                with pytest.raises(LogUnavailable, match=r"3 calls and sessions.*max_open") as error:
                    await call
                assert "\n" not in str(error.value)
        for task in following:
            task.cancel()
        await asyncio.wait(following)
        tails = [asyncio.ensure_future(log.tail("s")) for _ in range(4)]
        assert not (await asyncio.wait(tails[:3], timeout=0.2))[0]
        with pytest.raises(LogUnavailable, match="max_open"):
            await tails[3]
        for tail in tails:
            tail.cancel()
        await asyncio.wait(tails)
        await log.close()


async def test_a_process_without_file_descriptors_says_so() -> None:
    """A client that cannot be made is an error of the port, and the next call tries again."""
    endpoint = "http://127.0.0.1:9"
    log, taken = log_of(endpoint, timeout=0.2), []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    try:
        for call in (log.tail("s"), log.append("s", [NewRecord(b"a")]), anext(log.follow("s", 0))):
            with pytest.raises(LogUnavailable):
                await call
    finally:
        for descriptor in taken:
            os.close(descriptor)
    with pytest.raises(LogUnavailable, match="cannot be reached"):
        await log.tail("s")
    await log.close()


@pytest.mark.parametrize("options", [{"basin": "Not A Basin"}, {"basin": ""}, {"encryption_key": "no base64!"}])
def test_settings_that_cannot_work_are_refused_at_once(options: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="S2 settings"):
        S2Log(**{"access_token": "t", "basin": "some-basin", **options})
