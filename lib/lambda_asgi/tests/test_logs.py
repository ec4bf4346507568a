"""Log lines under Lambda."""

from __future__ import annotations

import json
import logging
import sys

from lambda_asgi.logs import JsonFormatter, TextFormatter, request_id


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


def test_text() -> None:
    """A traceback stays in one event: no line feeds."""
    line = TextFormatter().format(record())
    assert line.startswith("[ERROR] ") and "\n" not in line and "ValueError: of a test" in line
