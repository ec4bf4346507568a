"""The same answers from a handler without ASGI."""

import json
import os
from typing import Any

from .streaming import PART, PARTS


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return the whole answer, as AWS's runtime wants it."""
    body = json.dumps({"pid": os.getpid()})
    if event["path"] == "/large":
        body = PART.decode() * PARTS + body
    return {"statusCode": 200, "headers": {"content-type": "text/plain; charset=utf-8"}, "body": body}
