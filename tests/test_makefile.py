"""What `make dev` installs for the model that is named."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def planned(folder: Path, *given: str, **environ: str) -> str:
    """Return the commands that `make dev` would run in a new checkout."""
    for name in ("pyproject.toml", "lib/lambda_asgi/pyproject.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    done = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "--dry-run", "--no-print-directory", "dev", "NODE=", *given],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def extras(commands: str) -> list[str]:
    return re.findall(r"'\.\[local,(\S+)\]'", commands)


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        ("bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0", ["aws"]),
        ("anthropic:claude-sonnet-4-5", ["agents"]),
        ("google:gemini-2.5-pro", ["agents"]),
        ("openai:gpt-5", []),
        ("demo", []),
        ("", []),
    ],
)
def test_the_extra_of_the_model_is_installed(tmp_path: Path, model: str, extra: list[str]) -> None:
    """Whether the environment, the command line or .env names it; the progress line says for which model."""
    assert extras(planned(tmp_path, CHAT_MODEL=model)) == extra
    assert extras(planned(tmp_path, f"CHAT_MODEL={model}")) == extra
    for line in (f"CHAT_MODEL={model}", f'export CHAT_MODEL = "{model}"', f"#CHAT_MODEL=x\nCHAT_MODEL='{model}'\nA=1"):
        (tmp_path / ".env").write_text(line + "\n")
        commands = planned(tmp_path)
        assert extras(commands) == extra, line
        for name in extra:
            assert f"quietly 'Installing resumable-chat[{name}] for CHAT_MODEL={model.split(':')[0]}:…'" in commands


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """As it does for the server; in the file the last line counts."""
    (tmp_path / ".env").write_text("CHAT_MODEL=google:a\nCHAT_MODEL=bedrock:b\n")
    assert extras(planned(tmp_path)) == ["aws"]
    assert extras(planned(tmp_path, CHAT_MODEL="anthropic:c")) == ["agents"]


def test_more_can_be_asked_for(tmp_path: Path) -> None:
    """Extras, each once, and packages, quoted for the shell."""
    commands = planned(
        tmp_path, "EXTRAS=ag-ui agents", "PACKAGES=ag-ui-langgraph==0.0.47 langgraph<2", CHAT_MODEL="google:a"
    )
    assert extras(commands) == ["ag-ui", "agents"]
    assert "'ag-ui-langgraph==0.0.47' 'langgraph<2'" in commands
    assert "Installing resumable-chat[ag-ui]'" in commands
