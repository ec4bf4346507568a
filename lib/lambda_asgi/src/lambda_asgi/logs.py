"""Log lines as the managed runtime writes them: one line each, with the request's id, as text or JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import Any

request_id: ContextVar[str | None] = ContextVar("lambda_asgi_request_id", default=None)
"""The invocation that a log line belongs to, also for work it left behind."""


tenant_id: ContextVar[str | None] = ContextVar("lambda_asgi_tenant_id", default=None)
"""The tenant of that invocation, for functions with tenant isolation."""

_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""The attributes of every record; all others came with ``extra=``."""


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a log line is written whatever it is asked to show
        return f"<{type(value).__name__}>"


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with the keys that Lambda's own JSON logs have."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": request_id.get(),
            "tenantId": tenant_id.get(),
        }
        line = {**{name: value for name, value in record.__dict__.items() if name not in _OWN}, **line}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line |= {
                "errorType": type(error).__name__,
                "errorMessage": str(error),
                "stackTrace": self.formatException(record.exc_info).split("\n"),
                "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
            }
        return json.dumps({key: value for key, value in line.items() if value is not None}, default=_shown)


class TextFormatter(logging.Formatter):
    """``[LEVEL] time request message``; the lines of a traceback are kept in one event by carriage returns."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        at = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z"
        line = f"[{record.levelname}] {at} {request_id.get() or '-'} {record.name}: {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line.encode("utf-8", "backslashreplace").decode().replace("\n", "\r")


def configure(log_format: str, level: str) -> None:
    """Have the root logger write to stdout, unless the app's modules have set it up already."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format.upper() == "JSON" else TextFormatter())
    root.addHandler(handler)
    levels = logging.getLevelNamesMapping()
    root.setLevel(levels.get("CRITICAL" if level == "FATAL" else "DEBUG" if level == "TRACE" else level, logging.INFO))
