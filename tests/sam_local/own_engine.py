"""A container engine for one run: Debian's packages, unpacked into a folder and started in namespaces of their own.

Nothing is installed, and no interface, rule, mount or process of the machine is touched: all that the engine made goes
with its network, mount and process namespaces, and its control groups are removed.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .engine_api import Engine, EngineError

UNSHARE: Final = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_PACKAGES: Final = ("docker.io", "iptables")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_IFF_UP: Final = 0x1
_SIOCSIFFLAGS: Final = 0x8914


def missing() -> str:
    """Return why no engine can be started here; "" if one can."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "no container engine answers here, and only root on Debian can have one unpacked"
    if absent := [name for name in ("apt-get", "dpkg", "unshare") if shutil.which(name) is None]:
        return f"no container engine answers here, and one cannot be unpacked without {', '.join(absent)}"
    return ""


def unpack(folder: Path) -> None:
    """Download the engine's packages, with those of their dependencies that are not installed, into ``folder``.

    Raises EngineError.
    """
    archives, programs = folder / "archives", folder / "programs"
    (archives / "partial").mkdir(parents=True)
    programs.mkdir()
    fetch = ["apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends", "--download-only"]
    fetch += ["-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root", "--reinstall", *_PACKAGES]
    for command in (fetch, ["apt-get", "update", "--quiet", "--quiet"], fetch):
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if command is fetch and done.returncode == 0:
            break
    else:
        raise EngineError(f"the engine cannot be downloaded: {done.stderr.strip()}")
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, programs], check=True, timeout=120)
    shutil.rmtree(archives)


@contextmanager
def started(folder: Path, *options: str) -> Iterator[Engine]:
    """Run the engine that was unpacked into ``folder``. Raises EngineError."""
    programs = folder / "programs"
    libraries = os.pathsep.join(map(str, programs.glob("usr/lib/*-linux-gnu")))
    environ = {
        **os.environ,
        "PATH": f"{programs}/usr/sbin:{programs}/usr/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": libraries,
        "XTABLES_LIBDIR": f"{libraries}/xtables",
    }
    engine = Engine(f"unix://{folder}/engine.sock")
    with (folder / "engine.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *("dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "-H", engine.address),
                *("--pidfile", folder / "engine.pid", "--cgroup-parent", f"/{folder.name}"),
                *("--ip6tables=false", "--oom-score-adjust=0", *options),
            ],
            env=environ,
            stdout=log,
            stderr=log,
        )
    try:
        if not engine.answers(60):
            said = (folder / "engine.log").read_text(errors="replace")[-2000:]
            raise EngineError(f"the unpacked engine does not start: {said}")
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def within_namespaces(folder: Path, command: Sequence[str]) -> int:
    """Run a command in a network, mount and process namespace of its own, and return its exit status.

    The control groups of the engine of this folder are removed afterwards.
    """
    try:
        return subprocess.run([*UNSHARE, *command], check=False).returncode
    finally:
        made = [found for pattern in ("", "*/") for found in _CGROUPS.glob(f"{pattern}{folder.name}/**")]
        for group in sorted(made, reverse=True):
            with suppress(OSError):
                group.rmdir()


def prepare(folder: Path) -> None:
    """Bring up the loopback interface of this namespace, and choose the kind of iptables that its kernel has."""
    request = struct.pack("16sH14x", b"lo", _IFF_UP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)
    programs = folder / "programs" / "usr" / "sbin"
    environ = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folder.glob("programs/usr/lib/*-linux-gnu")))}
    for kind in ("nft", "legacy"):
        tried = subprocess.run(
            [programs / f"iptables-{kind}", "-t", "nat", "-S"], env=environ, capture_output=True, check=False
        )
        if tried.returncode == 0:
            (programs / "iptables").unlink(missing_ok=True)
            (programs / "iptables").symlink_to(f"iptables-{kind}")
            return
    sys.exit("This kernel has neither kind of iptables, which the container engine needs.")
