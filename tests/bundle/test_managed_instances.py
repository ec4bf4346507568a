"""The runtime under AWS's emulator in the mode of Managed Instances, the one that names invocations.

In that mode the emulator runs ``/var/runtime/bootstrap`` as a user of its own, from ``/var/task``: a private mount
namespace has both, the layer at ``/opt`` and the interpreter at ``/var/lang``, as in Lambda's image.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .artefact import PYTHON, layer, task_root
from .deployment import functions
from .emulator import Emulated, emulated
from .test_emulator import request

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
        reason="needs root and Linux: the emulator wants a file system like Lambda's",
    ),
]

_INTERPRETER = f"/var/lang/bin/{PYTHON.name}"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that the emulator's user may write to."""
    with tempfile.TemporaryDirectory(prefix="managed-instance-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def in_lambdas_file_system(shared: Path) -> list[str]:
    """Return a command that runs its arguments with /var and /opt as on Lambda, and ``shared`` at /var/shared."""
    bootstrap = shared / "bootstrap"
    recorded = f"exec {_INTERPRETER} /var/shared/recorder.py /var/shared/copy /opt/lambda-asgi {_INTERPRETER}\n"
    bootstrap.write_text(f"#!/bin/sh\n{recorded}")
    bootstrap.chmod(0o755)
    shutil.copy(Path(__file__).with_name("recorder.py"), shared)
    places = {sys.base_prefix: "/var/lang", layer(): "/opt", task_root("stop"): "/var/task", shared: "/var/shared"}
    script = ["set -e", "mount -t tmpfs tmpfs /var", "mkdir /var/lang /var/task /var/shared /var/runtime"]
    script += [shlex.join(["mount", "--bind", str(source), place]) for source, place in places.items()]
    script += ["cp /var/shared/bootstrap /var/runtime", 'cd /var/task; exec "$@"']
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*namespaces, "sh", "-c", "\n".join(script), "sh"]


async def answer(emulator: Emulated, event: Any) -> dict[str, Any]:
    """Invoke the function as soon as one of its loops is free."""
    async with asyncio.timeout(30):
        while True:
            answered: dict[str, Any] = json.loads(await emulator.invoke(event))
            if answered.get("errorType") != "Runtime.Unavailable":
                return answered
            await asyncio.sleep(0.05)


async def test_every_answer_names_its_invocation(shared: Path, tmp_path: Path) -> None:
    """Responses and errors carry the id that came with their invocation; the emulator takes them, several at once."""
    [stop] = [function for function in functions({}) if function.name == "stop"]
    environ = {
        **stop.environ,
        "CHAT_LOG": "sqlite:////var/shared/chat.db",
        "PYTHONPATH": "/opt/python",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_LAMBDA_MAX_CONCURRENCY": "3",
    }
    prefix = in_lambdas_file_system(shared)
    async with emulated((), task_root("stop"), environ, tmp_path / "log", prefix=prefix) as emulator:
        event = request("DELETE", "/api/chat?id=c")
        answers = await asyncio.gather(*(answer(emulator, event) for _ in range(3)))
        assert [found.get("statusCode") for found in answers] == [204] * 3, emulator.output
        assert (await answer(emulator, {"source": "aws.events"}))["errorType"] == "UnknownEvent"
        assert "410" not in emulator.output
    copy = (shared / "copy").read_text(errors="replace")
    given = re.findall(r"^< Lambda-Runtime-Invocation-Id: (\S+)$", copy, re.MULTILINE)
    echoed = re.findall(r"^> Lambda-Runtime-Invocation-Id: (\S+)$", copy, re.MULTILINE)
    assert len({*given}) == 4 and sorted(given) == sorted(echoed)
    assert copy.count("/response HTTP/1.1\n") == 3 and copy.count("/error HTTP/1.1\n") == 1
    assert not re.search(r"^< HTTP/1\.1 [45]", copy, re.MULTILINE)
