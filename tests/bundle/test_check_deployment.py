"""``scripts/check-deployment`` against the functions under the host."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_asgi.testing import LambdaHost

from .artefact import ROOT
from .deployment import ROUTES, authorizer, deployed, functions

pytestmark = pytest.mark.timeout(240)

DEMO = {"CHAT_SOURCE": "", "CHAT_MODEL": "demo", "CHAT_LEASE_MS": "3000"}


async def check(url: str, *options: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "scripts" / "check-deployment"), url, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_all_holds(tmp_path: Path) -> None:
    """A right deployment passes every check."""
    async with deployed({**DEMO, "CHAT_LOG": f"sqlite:///{tmp_path / 'chat.db'}"}) as (host, _):
        status, said = await check(host.url, "--header", "Authorization: Bearer alice")
    assert (status, said.count("ok  "), "6 of 6 held" in said) == (0, 6, True), said
    assert "headers: Authorization" in said and "alice" not in said and host.url.partition("://")[2] not in said


async def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """A replay that is not streamed and an API that is open fail the checks that are about it."""
    environ = {**DEMO, "CHAT_LOG": f"sqlite:///{tmp_path / 'chat.db'}", "CHAT_AUTH": "none"}
    routes = [replace(route, streaming=False) for route in ROUTES]
    made = [
        replace(function, environ={**function.environ, "LAMBDA_ASGI_RESPONSE_MODE": "buffered"})
        for function in functions(environ)
    ]
    async with LambdaHost(made, routes, authorizer=lambda request: authorizer(request) or {}) as host:
        status, said = await check(host.url, "--header", "Authorization: Bearer alice")
    assert status == 1
    failed = [line for line in said.splitlines() if line.startswith("FAILED")]
    assert any("without credentials" in line for line in failed), said
    assert any("chunks come as they are made" in line for line in failed), said
