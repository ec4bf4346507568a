"""SnapStart: what happens before the snapshot and after each restore, under the host.

The host cannot copy a process. It starts one for each environment, brings all to the same state, keeps them frozen
where Lambda takes its snapshot, and restores each by itself.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from lambda_asgi.snapstart import Hooks
from lambda_asgi.testing import InvocationFailed, LambdaHost, Route, State

from .functions import function


class Peer:
    """A server that an app is connected to; it counts connections and answers each line with ``hello``."""

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.address = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Peer]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.opened += 1
            self.open += 1
            try:
                while await reader.readline():
                    writer.write(b"hello\n")
            finally:
                self.open -= 1
                writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            self.address = f"{host}:{port}"
            yield self


@asynccontextmanager
async def snapped(
    tmp_path: Path, *, snap_start: float = 0.0, **environ: str
) -> AsyncIterator[tuple[LambdaHost, httpx.AsyncClient, Peer]]:
    """The app ``snapped`` with SnapStart, a client of it, and the peer that it is connected to."""
    async with Peer().serving() as peer:
        made = function(
            tmp_path / "notes",
            environ={"LAMBDA_ASGI_APP": "snapped:app", "PEER": peer.address, **environ},
            snap_start=snap_start,
        )
        async with (
            LambdaHost([made], [Route("GET", "/", "plain")]) as host,
            httpx.AsyncClient(base_url=host.url, timeout=30) as client,
        ):
            yield host, client, peer


async def test_two_restores_differ(tmp_path: Path) -> None:
    """Two environments restored from the same state have random numbers, tokens and live connections of their own."""
    async with snapped(tmp_path) as (host, client, peer):
        one, other = [answer.json() for answer in await asyncio.gather(client.get("/"), client.get("/"))]
        assert len(host.environments("plain")) == 2 and one["pid"] != other["pid"]
        assert one["token"] != other["token"] and one["jitter"] != other["jitter"]
        assert one["peer"] == other["peer"] == "hello"
        assert (peer.opened, peer.open) == (4, 2)


async def test_hooks_run_around_the_snapshot(tmp_path: Path) -> None:
    """Work of the start ends first; hooks run in reverse order before the snapshot, in order after the restore."""
    async with snapped(tmp_path) as (_, client, _):
        said = (await client.get("/")).json()
        assert said["order"] == ["work", "before 2", "before 1", "after 1", "after 2"]


async def test_nothing_lives_while_the_snapshot_waits(tmp_path: Path) -> None:
    """Before its restore the process is frozen and has closed its connections; time has passed when it goes on."""
    async with snapped(tmp_path, snap_start=1.0) as (host, client, peer):
        asking = asyncio.create_task(client.get("/"))
        async with asyncio.timeout(20):
            while not any(found.state is State.SNAPSHOT for found in host.environments("plain")):
                await asyncio.sleep(0.01)
        assert (peer.opened, peer.open) == (1, 0)
        assert (await asking).json()["age"] >= 1.0
        assert (await client.get("/")).json()["order"][-1] == "after 2"


@pytest.mark.parametrize(("fails", "phase", "said"), [("before", "init", "not now"), ("after", "restore", "not again")])
async def test_a_hook_that_fails(tmp_path: Path, fails: str, phase: str, said: str) -> None:
    """Lambda is told which phase failed and why, and the process ends."""
    async with snapped(tmp_path, FAIL=fails) as (host, _, _):
        with pytest.raises(InvocationFailed, match=said) as failed:
            await host.invoke("plain", {})
        assert failed.value.kind == phase
        async with asyncio.timeout(10):
            while host.environments("plain"):
                await asyncio.sleep(0.01)


async def test_hooks_of_awss_library_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries register with ``snapshot_restore_py``; its hooks run next to the snapshot, with their arguments."""
    ran: list[Any] = []
    registered = SimpleNamespace(
        get_before_snapshot=lambda: [(ran.append, ("aws 1",), {}), (ran.append, ("aws 2",), {})],
        get_after_restore=lambda: [(ran.append, ("aws after",), {})],
    )
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", registered)
    hooks = Hooks()
    hooks.before_snapshot(lambda: ran.append("ours"))
    hooks.after_restore(lambda: ran.append("ours after"))
    await hooks.run_before_snapshot()
    await hooks.run_after_restore()
    assert ran == ["ours", "aws 2", "aws 1", "aws after", "ours after"]


async def test_a_restore_seeds_the_random_numbers() -> None:
    """The state that all copies share is replaced before a hook can use it."""
    drawn = []
    hooks = Hooks()
    hooks.after_restore(lambda: drawn.append(random.random()))
    for _ in range(2):
        random.seed(1)
        await hooks.run_after_restore()
    assert drawn[0] != drawn[1]
