"""The arrows between the packages point down, and importing the library loads nothing that it may not need."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "lib" / "resumable_chat"

BELOW = {
    "errors": set(),
    "protocol": {"errors"},
    "transcript": {"errors", "protocol"},
    "view": {"errors", "protocol", "transcript"},
    "log": {"errors", "protocol", "view"},
    "wire": {"errors", "protocol", "transcript", "view"},
    "secret_settings": {"errors"},
    "sources": {"errors", "protocol", "secret_settings", "view"},
    "settings": {"errors", "log", "secret_settings", "sources"},
    "engine": {"errors", "log", "protocol", "sources", "transcript", "view", "wire"},
    "chat": {"engine", "errors", "log", "protocol", "settings", "sources", "transcript", "view", "wire"},
}
"""What each part of the library may import, besides itself. ``web`` and ``aws`` are the edges: see below."""


def parts() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        first = path.relative_to(LIBRARY).parts[0]
        found.setdefault(first.removesuffix(".py"), []).append(path)
    return found


def imported(path: Path) -> set[str]:
    """The parts of the library, and the other top-level packages, that a module imports, also in its functions."""
    package = ("resumable_chat", *path.relative_to(LIBRARY).parent.parts)
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "resumable_chat" else {module}
    return {name.split(".")[1] if name.startswith("resumable_chat.") else name.split(".")[0] for name in names}


PARTS = parts()


def test_every_part_has_its_place() -> None:
    """A new module or package is put into the table above before anything can import it."""
    assert set(PARTS) == {*BELOW, "__init__", "web", "aws"}


@pytest.mark.parametrize("part", BELOW)
def test_arrows_point_down(part: str) -> None:
    """Each part imports those below it alone."""
    for path in PARTS[part]:
        ours = imported(path) & set(PARTS)
        assert ours <= BELOW[part] | {part}, path


def test_nothing_imports_the_edges() -> None:
    """``web`` is imported by ``aws`` and, when its names are asked for, by the package itself; ``aws`` by nobody."""
    for part, paths in PARTS.items():
        for path in paths:
            allowed = {"web": {"web", "aws", "__init__"}, "aws": {"aws"}}
            assert not [edge for edge, importers in allowed.items() if edge in imported(path) and part not in importers]


def test_only_the_edge_knows_the_runtime() -> None:
    """``lambda_asgi`` is imported by ``aws`` alone, and imports nothing of the chat."""
    for part, paths in PARTS.items():
        assert part == "aws" or not [path for path in paths if "lambda_asgi" in imported(path)]
    for path in (ROOT / "lib" / "lambda_asgi" / "src").rglob("*.py"):
        assert "resumable_chat" not in path.read_text()


def test_frameworks_stay_at_the_edge() -> None:
    """Starlette and FastAPI are imported by ``web`` and ``aws`` alone."""
    for part, paths in PARTS.items():
        if part not in ("web", "aws"):
            assert not [path for path in paths if {"starlette", "fastapi"} & imported(path)]


def test_importing_the_library_loads_no_framework() -> None:
    """``import resumable_chat`` loads neither Starlette nor h11 nor the S2 SDK nor what is behind a model."""
    code = "import sys, resumable_chat; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    heavy = {"starlette", "fastapi", "h11", "boto3", "httpx", "s2_sdk", "lambda_asgi", "pydantic", "ag_ui"}
    assert not heavy & {*loaded.stdout.split()}


def test_making_a_source_loads_no_library_of_a_model() -> None:
    """A cold start waits for none: the first run imports it."""
    code = (
        "import sys; from resumable_chat import AgentSource, AguiSource, BedrockSource, OpenAISource;"
        "AgentSource(None); AguiSource(None); BedrockSource(model='m'); OpenAISource(model='m');"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"pydantic", "pydantic_ai", "ag_ui", "boto3", "botocore", "httpx"} & {*loaded.stdout.split()}
