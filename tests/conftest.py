"""Runs ``async def`` tests, each in an event loop of its own, with asyncio's debug checks on."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

NODE = Path(__file__).parent / "node"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}), debug=True)
    return True


def pytest_make_parametrize_id(val: Any) -> str | None:
    """Name a test by its token without the nonce, so that it has the same name in each run."""
    if isinstance(val, str) and re.match(r"(session|end|error)-[0-9a-f]{4}", val):
        return re.sub(r"-[0-9a-f]{4,8}(?=$|[.~])", "-nonce", val)
    return None


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder with the published TanStack packages."""
    if not (NODE / "node_modules" / "@tanstack" / "ai").is_dir():
        pytest.fail("The TanStack packages are missing: run `npm ci` in tests/node, or `make test`.")
    return NODE
