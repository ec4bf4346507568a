"""What the environment says."""

from __future__ import annotations

import pytest

from lambda_asgi import InitError
from lambda_asgi.settings import Settings

LAMBDA = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "_HANDLER": "app.handler"}


def test_defaults() -> None:
    """On Lambda, the handler's module has the app, responses are whole, and one invocation runs at a time."""
    settings = Settings.from_environ(LAMBDA)
    assert (settings.app, settings.streaming, settings.concurrency) == ("app:app", False, 1)
    assert settings.runtime_api == ("127.0.0.1", 9001)
    assert not settings.managed_instances


def test_all_settings() -> None:
    """Every variable is read."""
    settings = Settings.from_environ(
        LAMBDA
        | {
            "_HANDLER": "chat/send.handler",
            "LAMBDA_ASGI_RESPONSE_MODE": "streaming",
            "LAMBDA_ASGI_BASE_PATH": "/v1",
            "LAMBDA_ASGI_SHUTDOWN_MS": "2000",
            "AWS_LAMBDA_MAX_CONCURRENCY": "16",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "debug",
        }
    )
    assert (settings.app, settings.streaming, settings.base_path) == ("chat.send:app", True, "/v1")
    assert (settings.shutdown, settings.concurrency, settings.managed_instances) == (2.0, 16, True)
    assert (settings.log_format, settings.log_level) == ("JSON", "DEBUG")


def test_managed_instances_of_one() -> None:
    """Lambda sets a concurrency on Managed Instances alone; it may be 1."""
    settings = Settings.from_environ(LAMBDA | {"AWS_LAMBDA_MAX_CONCURRENCY": "1"})
    assert (settings.managed_instances, settings.concurrency) == (True, 1)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"AWS_LAMBDA_RUNTIME_API": ""}, "AWS_LAMBDA_RUNTIME_API"),
        ({"_HANDLER": ""}, "LAMBDA_ASGI_APP"),
        ({"LAMBDA_ASGI_RESPONSE_MODE": "stream"}, "LAMBDA_ASGI_RESPONSE_MODE"),
        ({"AWS_LAMBDA_MAX_CONCURRENCY": "0"}, "AWS_LAMBDA_MAX_CONCURRENCY"),
        ({"LAMBDA_ASGI_SHUTDOWN_MS": "soon"}, "LAMBDA_ASGI_SHUTDOWN_MS"),
    ],
)
def test_what_cannot_be_used(environ: dict[str, str], named: str) -> None:
    """An error names the variable to set."""
    with pytest.raises(InitError, match=named):
        Settings.from_environ(LAMBDA | environ)
