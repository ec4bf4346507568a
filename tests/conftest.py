"""Runs ``async def`` tests, each in an event loop of its own, with asyncio's debug checks on."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

NODE = Path(__file__).parent / "node"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}), debug=True)
    return True


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder with the published TanStack packages."""
    if not (NODE / "node_modules" / "@tanstack" / "ai").is_dir():
        pytest.fail("The TanStack packages are missing: run `npm ci` in tests/node, or `make test`.")
    return NODE
