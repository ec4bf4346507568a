"""The published clients of AG-UI under Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent.parent / "clients" / "ag_ui"


def played(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What both versions make of these responses; tests/clients/ag_ui/oracle.mjs says what a case is."""
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("AG-UI's packages are missing: run `npm ci` in tests/clients/ag_ui, or `make test-clients`.")
    given = "".join(json.dumps(case) + "\n" for case in cases)
    answer = subprocess.run(
        ["node", "oracle.mjs"], cwd=FOLDER, input=given, capture_output=True, text=True, check=True, timeout=250
    )
    results: list[dict[str, Any]] = [json.loads(line) for line in answer.stdout.split("\n") if line]
    assert len(results) == len(cases)
    return results
