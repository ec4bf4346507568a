"""What `sam build` makes, and what runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..bundle.artefact import SAM_VENV
from .cloudformation import REGION, ROOT

SAM = SAM_VENV / "bin"
FUNCTIONS = {"send": "SendFunction", "replay": "ReplayFunction", "stop": "StopFunction"}
DEPLOYED = "3.13"
"""The Python of the template's functions."""


@dataclass(frozen=True)
class Artefact:
    """Built functions and a layer, and an interpreter that can run them."""

    folder: Path
    layer: Path
    python: str

    def task_root(self, function: str) -> Path:
        return self.folder / FUNCTIONS[function]

    def environ(self, function: str, **more: str) -> dict[str, str]:
        """Nothing but what Lambda sets, so that nothing of this machine helps, and ``more``."""
        paths = [str(self.task_root(function)), str(self.layer / "python"), *filter(None, [more.pop("PYTHONPATH", "")])]
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self.task_root(function)),
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_REGION": REGION,
            **more,
        }


def deployed_python() -> str | None:
    """An interpreter of the functions' version, if this machine has one that runs."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{DEPLOYED}.*/bin/python{DEPLOYED}"))
    for found in [shutil.which(f"python{DEPLOYED}"), sys.executable, *map(str, pyenv)]:
        if found is None:
            continue
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([found, "-c", code], capture_output=True, text=True, timeout=20)
        if done.stdout.strip() == DEPLOYED:
            return found
    return None


def sam_build(folder: Path) -> Path:
    """Build all for both architectures; the folder with the functions and the layers."""
    if not (SAM / "sam").exists():
        raise RuntimeError("SAM is not installed: run `make test-template`, or `make build`.")
    python = deployed_python()
    path = [str(SAM), *([str(Path(python).parent)] if python else []), os.environ["PATH"]]
    done = subprocess.run(
        [SAM / "sam", "build", "--build-dir", folder / "build", "--cache-dir", folder / "cache", "--no-cached"],
        cwd=ROOT,
        env={**os.environ, "PATH": os.pathsep.join(path), "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return folder / "build"
