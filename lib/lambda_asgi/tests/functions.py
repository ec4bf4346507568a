"""Functions made of the test apps, as this interpreter runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lambda_asgi
from lambda_asgi.testing import Function

APPS = Path(__file__).parent / "apps"
WRAPPER = Path(lambda_asgi.__file__).parent / "exec-wrapper"


def function(
    shared: Path, *, streaming: bool = False, environ: dict[str, str] | None = None, **options: Any
) -> Function:
    """The app ``plain``; what it notes down goes to ``shared``."""
    return Function(
        **{
            "name": "plain",
            "handler": "plain.handler",
            "task_root": APPS,
            "command": [str(WRAPPER), sys.executable, "-X", "dev"],
            "environ": {
                "SHARED_FILE": str(shared),
                "LAMBDA_ASGI_RESPONSE_MODE": "streaming" if streaming else "buffered",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONWARNINGS": "error",
                **(environ or {}),
            },
            **options,
        }
    )


def open_gate(shared: Path, name: str) -> None:
    """Let the app go on that waits at this gate, however long the test took to get there."""
    shared.with_name(f"gate-{name}").touch()


def noted(shared: Path) -> list[str]:
    """What the app noted down so far."""
    return shared.read_text().splitlines() if shared.exists() else []
