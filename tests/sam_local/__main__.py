"""``python -m tests.sam_local [pytest's options]``: find or start a container engine, and run the tests on it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import base_image, own_engine
from .engine_api import Engine, EngineError, running

FOLDER = Path(__file__).parent
_INSIDE = "--inside"


def main(arguments: list[str]) -> int:
    """Run the tests, or skip them with a reason; return pytest's exit status."""
    if arguments[:1] == [_INSIDE]:
        return _inside(Path(arguments[1]), arguments[2:])
    try:
        engine = running()
        if engine is not None:
            with _image_in(engine):
                return _tests_on(engine, arguments)
        if reason := own_engine.missing():
            return _pytest(arguments, NO_ENGINE=reason)
        return _on_an_own_engine(arguments)
    except (EngineError, base_image.Impossible) as error:
        return _pytest(arguments, NO_ENGINE=str(error))


@contextmanager
def _image_in(engine: Engine) -> Iterator[None]:
    """See that an engine of this machine has the base image; one that was made leaves nothing behind."""
    if engine.has(base_image.IMAGE) or _pulled(engine):
        yield
    else:
        before = engine.images()
        with tempfile.TemporaryDirectory(prefix="sam-local-") as folder:
            engine.make(base_image.IMAGE, base_image.made(Path(folder)), base_image.CHANGES)
        try:
            yield
        finally:
            for image in engine.images() - before:
                engine.remove(image)


def _pulled(engine: Engine) -> bool:
    if not base_image.registry_answers():
        return False
    try:
        engine.pull(base_image.IMAGE)
    except EngineError as error:
        sys.stderr.write(f"{base_image.IMAGE} cannot be pulled and is made instead: {error}\n")
        return False
    return True


def _on_an_own_engine(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="sam-local-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        own_engine.unpack(folder)
        pulled = False
        if base_image.registry_answers():
            # In this machine's network, which it leaves alone: no way leads out of the namespace of the tests.
            with own_engine.started(folder, "--bridge=none", "--iptables=false") as engine:
                pulled = _pulled(engine)
        if not pulled:
            base_image.made(folder)
        command = [sys.executable, "-m", __package__ or "tests.sam_local", _INSIDE, name, *arguments]
        return own_engine.within_namespaces(folder, command)


def _inside(folder: Path, arguments: list[str]) -> int:
    own_engine.prepare(folder)
    try:
        with own_engine.started(folder) as engine:
            if (archive := folder / "root.tar").exists():
                engine.make(base_image.IMAGE, archive, base_image.CHANGES)
            return _tests_on(engine, arguments)
    except EngineError as error:
        return _pytest(arguments, NO_ENGINE=str(error))


def _tests_on(engine: Engine, arguments: list[str]) -> int:
    return _pytest(arguments, CONTAINER_ENGINE=engine.address, DOCKER_HOST=engine.address)


def _pytest(arguments: list[str], **environ: str) -> int:
    command = [sys.executable, "-m", "pytest", FOLDER, *arguments]
    return subprocess.run(command, env={**os.environ, **environ}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
