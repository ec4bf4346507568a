"""The wheels and source distributions install into an empty environment, and work there without the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
SMOKE = Path(__file__).with_name("smoke.py")

pytestmark = pytest.mark.timeout(300)


def one(pattern: str) -> Path:
    [found] = DIST.glob(pattern)
    return found


@pytest.fixture(scope="module", autouse=True)
def built() -> Iterator[None]:
    if not DIST.is_dir():
        pytest.fail("There is nothing in dist/: run `make test-packages`, which builds it.")
    yield


@pytest.mark.parametrize(
    ("wheel", "package"), [("resumable_chat-*.whl", "resumable_chat"), ("lambda_asgi-*.whl", "lambda_asgi")]
)
def test_a_wheel_holds_one_package(wheel: str, package: str) -> None:
    """The package, its types' marker and its licence; no functions, no tests, no second package."""
    names = zipfile.ZipFile(one(wheel)).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {package}
    assert f"{package}/py.typed" in names and [name for name in names if name.endswith("licenses/LICENSE")]


@pytest.mark.parametrize("sdist", ["resumable_chat-*.tar.gz", "lambda_asgi-*.tar.gz"])
def test_a_source_distribution_is_small(sdist: str) -> None:
    """What builds the wheel, and nothing of the repository's tests, pages and functions."""
    with tarfile.open(one(sdist)) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md"} <= {*names}
    assert not [name for name in names if name.startswith(("functions", "tests", "client", "examples"))]


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_works_in_an_empty_environment(tmp_path: Path, kind: str) -> None:
    """Installed from the files alone, both packages pass the smoke test."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    chat, runtime = one(f"resumable_chat-{kind}"), one(f"lambda_asgi-{kind}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CHAT_", "S2_"))}
    for command in (
        [*(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"), runtime, f"{chat}[local]"],
        [python, "-W", "error", shutil.copy(SMOKE, tmp_path)],
    ):
        done = subprocess.run(
            [str(part) for part in command], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=250
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_base_package_needs_no_framework(tmp_path: Path) -> None:
    """``pip install resumable-chat`` alone imports, and says what to install for the rest."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        str(one("resumable_chat-*.whl")),
    ]
    subprocess.run(install, check=True, timeout=250, cwd=tmp_path)
    code = "import resumable_chat as r; r.SqliteLog; r.S2Log\ntry: r.create_app\nexcept ImportError as e: print(e)"
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert "resumable-chat[web]" in told.stdout, told.stderr


def test_the_smoke_test_can_fail(tmp_path: Path) -> None:
    """It is no check that always passes: without the packages it ends with an error."""
    environ = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-I", "-S", SMOKE], cwd=tmp_path, env=environ, capture_output=True, timeout=60
    )
    assert done.returncode != 0
