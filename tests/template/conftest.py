"""The build, made once for all tests that look at it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from ..bundle.artefact import layer
from .artefact import DEPLOYED, Artefact, deployed_python, sam_build


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `sam build` made."""
    return sam_build(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="session")
def here(build: Path) -> Artefact:
    """The functions as they were built, with a layer for the Python that runs the tests."""
    return Artefact(build, layer(), sys.executable)


@pytest.fixture(scope="session")
def deployed(build: Path) -> Artefact:
    """All as it was built for AWS, on an interpreter of the functions' version."""
    python, machine = deployed_python(), platform.machine()
    layers = {"x86_64": "ChatLayerX86", "aarch64": "ChatLayerArm64"}
    if python is None or machine not in layers:
        pytest.skip(f"no Python {DEPLOYED} on Linux here; the same code is tested on the Python at hand")
    return Artefact(build, build / layers[machine], python)
