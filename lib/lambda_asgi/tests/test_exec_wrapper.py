"""The exec wrapper, with an interpreter that says what it was given."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .functions import WRAPPER

SAYS = """#!/bin/sh
printf '["%s", "%s", "%s", "%s"]' "$PYTHONPATH" "$#" "$1" "$2"
"""


@pytest.mark.parametrize("prior", ["", "/var/runtime"])
def test_exec_wrapper(tmp_path: Path, prior: str) -> None:
    """Paths may have spaces; the task, both folders of layers and what was there are searched; the loop is ours."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    python = folder / "python3.13"
    python.write_text(SAYS)
    python.chmod(0o755)
    done = subprocess.run(
        [str(WRAPPER), str(python), "-X", "frozen modules", "/var/runtime/bootstrap.py"],
        env={"LAMBDA_TASK_ROOT": "/var/my task", **({"PYTHONPATH": prior} if prior else {})},
        capture_output=True,
        check=True,
        timeout=10,
    )
    path, *arguments = json.loads(done.stdout)
    layers = ["/opt/python/lib/python3.13/site-packages", "/opt/python"]
    assert path.split(":") == ["/var/my task", *layers, *([prior] if prior else [])]
    assert arguments == ["2", "-m", "lambda_asgi"]
