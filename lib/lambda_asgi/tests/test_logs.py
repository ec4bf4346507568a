"""Log lines under Lambda."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from lambda_asgi.logs import JsonFormatter, TextFormatter, request_id, tenant_id


def record() -> logging.LogRecord:
    try:
        raise ValueError("of a test")
    except ValueError:
        return logging.LogRecord("chat", logging.ERROR, "x.py", 1, "said %s", ("it",), sys.exc_info())


def test_json() -> None:
    """One object a line, with level, message, the request's id and the exception."""
    token = request_id.set("r-1")
    try:
        line = JsonFormatter().format(record())
    finally:
        request_id.reset(token)
    said = json.loads(line)
    assert "\n" not in line
    assert (said["level"], said["message"], said["requestId"]) == ("ERROR", "said it", "r-1")
    assert (said["errorType"], said["errorMessage"]) == ("ValueError", "of a test")
    assert any("test_logs" in frame for frame in said["stackTrace"])


def test_json_has_extra_tenant_and_location() -> None:
    """What a line was given with ``extra`` is in it, and never replaces its own keys."""
    token = tenant_id.set("t-1")
    found = record()
    found.__dict__ |= {"chat": "c", "level": "FAKE", "odd": {1, 2}, "worse": Worse()}
    try:
        said = json.loads(JsonFormatter().format(found))
    finally:
        tenant_id.reset(token)
    assert (said["chat"], said["level"], said["tenantId"]) == ("c", "ERROR", "t-1")
    assert said["location"] == "x.py:None:1" and said["worse"] == "<Worse>"


class Worse:
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_a_line_with_half_a_character_is_there(formatter: logging.Formatter) -> None:
    """Text that UTF-8 cannot hold does not lose the line."""
    line = formatter.format(logging.LogRecord("chat", logging.INFO, "x.py", 1, "half \ud83d", None, None))
    assert "half" in line and line.encode()


def test_text() -> None:
    """A traceback stays in one event: no line feeds."""
    line = TextFormatter().format(record())
    assert line.startswith("[ERROR] ") and "\n" not in line and "ValueError: of a test" in line
