"""The fold gives what the browser's StreamProcessor 0.58 gave for recorded inputs."""

import json
from pathlib import Path
from typing import Any

import pytest

from .canonical import canonical, fold

_FILE = Path(__file__).parent.parent / "vectors" / "stream-processor.jsonl"
_VECTORS = [json.loads(line) for line in _FILE.read_text("utf-8").split("\n") if line]


def test_there_are_83_vectors() -> None:
    """No vector went missing."""
    assert len(_VECTORS) == 83


@pytest.mark.parametrize("vector", _VECTORS, ids=[vector["name"] for vector in _VECTORS])
def test_vector(vector: dict[str, Any]) -> None:
    """The messages, or the refusal, are those of the original."""
    result = fold(vector["input"])
    if isinstance(vector["expected"], dict):
        assert result == {"error": True} and vector["expected"].keys() == {"error"}
    else:
        assert result == canonical(vector["expected"])
