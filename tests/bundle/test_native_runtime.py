"""What AWS's own runtime for Python cannot do yet: the reason for a runtime of our own.

The day one of these fails, docs/lambda_asgi.md ("When AWS's runtime streams") says what to do.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lambda_asgi.testing import Function, InvocationFailed, LambdaHost

HANDLERS = """
def generator(event, context):
    yield b"one"
    yield b"two"


async def coroutine(event, context):
    return "done"


async def asynchronous_generator(event, context):
    yield b"one"
"""


@pytest.mark.parametrize("handler", ["generator", "asynchronous_generator", "coroutine"])
async def test_awss_runtime_takes_whole_answers_of_plain_functions(handler: str, tmp_path: Path) -> None:
    """A handler that yields its answer in parts, or is ``async``, fails its invocation."""
    (tmp_path / "app.py").write_text(HANDLERS)
    command = [sys.executable, "-m", "awslambdaric", f"app.{handler}"]
    made = Function(
        "native",
        f"app.{handler}",
        tmp_path,
        command,
        {"PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "ignore", "AWS_LAMBDA_LOG_FORMAT": "JSON"},
    )
    async with LambdaHost([made]) as host:
        invocation = await host.invoke("native", {})
        with pytest.raises(InvocationFailed, match="MarshalError"):
            await invocation.streams()
