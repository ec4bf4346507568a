"""``sam local invoke`` with each event of ``events/``."""

from __future__ import annotations

import json
import subprocess

import pytest

from ..template.artefact import FUNCTIONS
from .conftest import ROOT, sam_environ, sam_local

pytestmark = [pytest.mark.timeout(640), pytest.mark.usefixtures("log")]

STATUS = {"send": 202, "replay": 200, "stop": 204}


@pytest.mark.parametrize("kind", ["rest", "http", "url"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_event_is_answered(function: str, kind: str) -> None:
    """The built function starts in Lambda's container and answers the event of every kind of front."""
    command = sam_local("invoke", FUNCTIONS[function], "--event", f"events/{function}-{kind}.json")
    for _ in range(3):
        done = subprocess.run(
            command, cwd=ROOT, env=sam_environ(), capture_output=True, text=True, timeout=200, check=False
        )
        # SAM counts the start of the function's process, too, and stop has 10 s: a busy machine may need another try.
        if "timed out after" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statusCode"] == STATUS[function], done.stdout + done.stderr
