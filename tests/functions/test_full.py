"""A server without free files says so once a minute, and everything else as before."""

from __future__ import annotations

import asyncio
import errno

import pytest

from functions.full import report_full_server

from ..virtual import run


def test_a_full_server_says_so_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio tries to accept thousands of times a second."""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        report_full_server()
        for _ in range(2):
            for _ in range(1000):
                loop.call_exception_handler({"message": "accept", "exception": OSError(errno.EMFILE, "Too many files")})
            await asyncio.sleep(60)
        assert [record.message.count("ulimit") for record in caplog.records] == [1, 1]
        loop.call_exception_handler({"message": "another", "exception": OSError(errno.EIO, "I/O")})
        assert "another" in caplog.text

    run(play())
