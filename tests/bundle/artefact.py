"""The layer as `sam build` makes it, for the Python and the machine that the tests run on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SAM_VENV = ROOT / os.environ.get("SAM_VENV", ".venv-sam")

PYTHON = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
"""The interpreter without the development environment's packages, as a function has it."""


@cache
def layer() -> Path:
    """What Lambda unpacks to /opt, built once per run."""
    built = ROOT / ".aws-sam" / "layer-under-test"
    shutil.rmtree(built, ignore_errors=True)
    built.mkdir(parents=True)
    subprocess.run(
        [
            *("make", "--silent", "-f", str(ROOT / "lib" / "Makefile"), "layer"),
            f"PYTHON_VERSION=3.{sys.version_info.minor}",
            f"PLATFORM={platform.machine()}-manylinux_2_34",
            f"UV={SAM_VENV / 'bin' / 'uv'}",
        ],
        cwd=ROOT / "lib",
        env={**os.environ, "ARTIFACTS_DIR": str(built)},
        check=True,
        timeout=120,
    )
    return built


@cache
def task_root(name: str) -> Path:
    """What Lambda unpacks to /var/task: the function's folder, without what a run here left in it."""
    copy = ROOT / ".aws-sam" / "functions-under-test" / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "functions" / name, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy
