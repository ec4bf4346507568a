"""The fold gives what the published StreamProcessor gives under Node, on random sequences."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .canonical import canonical, fold
from .sequences import conversation

CASES = int(os.environ.get("ORACLE_CASES", "400"))
SEED = int(os.environ.get("ORACLE_SEED", "1"))


@pytest.mark.node
@pytest.mark.timeout(600)
def test_random_sequences_fold_as_in_the_browser(node: Path) -> None:
    """Realistic and damaged conversations alike end in the same messages."""
    cases = []
    for index in range(CASES):
        rng = random.Random(SEED * 1_000_000 + index)
        chunks, resets = conversation(rng, adversarial=index % 2 == 1)
        cases.append({"chunks": chunks, "resets": resets})
    given = "".join(json.dumps(case) + "\n" for case in cases)
    answer = subprocess.run(
        ["node", "oracle.mjs"], cwd=node, input=given, capture_output=True, text=True, check=True, timeout=500
    )
    results = [json.loads(line) for line in answer.stdout.split("\n") if line]
    assert len(results) == CASES
    for index, (case, expected) in enumerate(zip(cases, results, strict=True)):
        ours = fold({"chunks": case["chunks"], "perTurnReset": case["resets"]})
        assert ours == _theirs(expected), f"case {index} of seed {SEED}: {json.dumps(case)}"


def _theirs(result: dict[str, Any]) -> Any:
    return {"error": True} if "error" in result else canonical(result["messages"], generated="-1")
