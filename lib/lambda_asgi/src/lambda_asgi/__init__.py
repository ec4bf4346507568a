"""ASGI apps on AWS Lambda, from one asyncio loop: streamed responses, and work that goes on behind them.

``wait_until`` works everywhere; on Lambda the package is started by its exec wrapper (docs/lambda_asgi.md).
"""

from .background import Background, drain, wait_until
from .context import Invocation, LambdaContext, invocation
from .errors import BrokenOff, InitError, LambdaAsgiError, RuntimeApiError, StreamBroken, UnknownEvent
from .snapstart import after_restore, before_snapshot

__all__ = [
    "Background",
    "BrokenOff",
    "InitError",
    "Invocation",
    "LambdaAsgiError",
    "LambdaContext",
    "RuntimeApiError",
    "StreamBroken",
    "UnknownEvent",
    "after_restore",
    "before_snapshot",
    "drain",
    "invocation",
    "wait_until",
]
