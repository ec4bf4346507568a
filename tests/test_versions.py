"""One version everywhere: the packages, the client, and the newest entry of each changelog."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_versions_agree() -> None:
    """Whoever releases sets three numbers, and forgets none."""
    projects = ("pyproject.toml", "lib/lambda_asgi/pyproject.toml")
    versions = {path: tomllib.loads((ROOT / path).read_text())["project"]["version"] for path in projects}
    versions["client"] = json.loads((ROOT / "client" / "package.json").read_text())["version"]
    for path in ("CHANGELOG.md", "lib/lambda_asgi/CHANGELOG.md"):
        heading = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / path).read_text(), re.MULTILINE)
        assert heading is not None, f"{path} names no version"
        versions[path] = heading[1]
    assert len({*versions.values()}) == 1, versions
