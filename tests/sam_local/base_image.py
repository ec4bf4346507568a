"""Lambda's base image: pulled where a registry answers, else made of this machine's Python and AWS's runtime.

The image that is made has what a function needs of AWS's: a shell, the interpreter in /var/lang, the runtime from PyPI
in /var/runtime and a bootstrap that honours the exec wrapper.
"""

from __future__ import annotations

import platform
import re
import shutil
import socket
import subprocess
import tarfile
from pathlib import Path
from textwrap import dedent
from typing import Final

from ..bundle.artefact import SAM_VENV
from ..template.artefact import DEPLOYED, deployed_python

ARCHITECTURE: Final = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
IMAGE: Final = f"public.ecr.aws/lambda/python:{DEPLOYED}-{ARCHITECTURE}"

CHANGES: Final = [
    "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib",
    "ENV LANG=en_US.UTF-8 TZ=:/etc/localtime LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR /var/task",
]
_BOOTSTRAP: Final = f"""\
    #!/bin/bash
    export AWS_EXECUTION_ENV=AWS_Lambda_python{DEPLOYED}
    command=(/var/lang/bin/python{DEPLOYED} /var/runtime/bootstrap.py)
    [ -z "$AWS_LAMBDA_EXEC_WRAPPER" ] || command=("$AWS_LAMBDA_EXEC_WRAPPER" "${{command[@]}}")
    exec -- "${{command[@]}}"
    """
_RUNTIME: Final = f"""\
    import os
    import sys

    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], "/opt/python/lib/python{DEPLOYED}/site-packages", "/opt/python"]

    from awslambdaric.__main__ import main

    main([sys.argv[0], os.environ["_HANDLER"]])
    """
_TOOLS: Final = ("sh", "bash", "cp", "mv", "rm", "mkdir", "chmod", "ls", "cat", "env", "getent")
_EXPECTED: Final = ("c", "m", "dl", "rt", "pthread", "util", "resolv", "nss_dns", "nss_files", "gcc_s", "stdc++")
"""Libraries that wheels may expect of any Linux (https://peps.python.org/pep-0513/)."""
_NOT_NEEDED: Final = shutil.ignore_patterns(
    "test", "__pycache__", "idlelib", "tkinter", "site-packages", f"config-{DEPLOYED}-*", "*.a"
)


class Impossible(Exception):
    """The image can be neither pulled nor made; the message says why."""


def registry_answers() -> bool:
    """Return whether the registry of AWS's images can be reached."""
    try:
        socket.create_connection((IMAGE.partition("/")[0], 443), timeout=3).close()
    except OSError:
        return False
    return True


def made(folder: Path) -> Path:
    """Return a tar archive of the image's root folder, made in ``folder``. Raises Impossible."""
    python = deployed_python()
    if platform.system() != "Linux" or python is None:
        raise Impossible(f"no registry has {IMAGE}, and without Linux and a Python {DEPLOYED} it cannot be made")
    root = folder / "root"
    for name in ("bin", "usr/bin", "etc", "tmp", "opt", "proc", "sys", "dev", "var/task", "var/rapid", "var/lang/bin"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    _interpreter(Path(python).resolve(), root / "var/lang")
    for tool in _TOOLS:
        if found := shutil.which(tool):
            shutil.copy(found, root / "bin" / tool)
    _runtime(python, root / "var/runtime")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    _libraries(root)
    archive = folder / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".")
    shutil.rmtree(root)
    return archive


def _interpreter(python: Path, lang: Path) -> None:
    shutil.copy(python, lang / "bin" / f"python{DEPLOYED}")
    (lang / "bin" / "python3").symlink_to(f"python{DEPLOYED}")
    lib = python.parent.parent / "lib"
    shutil.copytree(lib / f"python{DEPLOYED}", lang / "lib" / f"python{DEPLOYED}", ignore=_NOT_NEEDED)
    (lang / "lib" / f"python{DEPLOYED}" / "site-packages").mkdir()
    for shared in lib.glob(f"libpython{DEPLOYED}*.so*"):
        shutil.copy(shared, lang / "lib")


def _runtime(python: str, folder: Path) -> None:
    uv = SAM_VENV / "bin" / "uv"
    command = [uv, "pip", "install", "--quiet", "--python", python, "--target", folder, "awslambdaric"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        raise Impossible(f"AWS's runtime cannot be installed: {done.stderr.strip()}")
    for name, text in (("bootstrap", _BOOTSTRAP), ("bootstrap.py", _RUNTIME)):
        (folder / name).write_text(dedent(text))
        (folder / name).chmod(0o755)


def _libraries(root: Path) -> None:
    """Copy every library that the programs and Python's modules need to where the loader looks for it."""
    binaries = [*(root / "bin").iterdir(), *(root / "var").rglob("*.so"), *(root / "var/lang/bin").iterdir()]
    said = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False, timeout=60).stdout
    needed = {Path(found) for found in re.findall(r"(/\S+\.so\S*) \(0x", said) if not found.startswith(str(root))}
    [standard] = {found.parent for found in needed if found.name == "libc.so.6"}
    needed |= {found for name in _EXPECTED for found in standard.glob(f"lib{name}.so.*[0-9]")}
    for library in needed:
        place = root / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            shutil.copy(library, place)
