"""Everything that is set from the environment, in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import ConfigurationError

if TYPE_CHECKING:
    from .log.port import Log
    from .sources.port import Source

DEFAULT_LOG: Final = "sqlite:///chat.db"
DEFAULT_LEASE_MS: Final = 15_000
MIN_LEASE_MS: Final = 3_000
"""Three heartbeats, so that one that is late does not cost a run its life."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, checked.

    ``sqlite_path`` is the embedded log's file; ``stream_prefix`` is put before every chat id; ``lease_ms`` is the
    silence, in ms, after which a run counts as abandoned.
    """

    sqlite_path: Path
    stream_prefix: str = ""
    lease_ms: int = DEFAULT_LEASE_MS

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment. Raises ConfigurationError naming the variable to set."""
        on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in environ
        url = environ.get("CHAT_LOG", "")
        if not url and on_lambda:
            raise ConfigurationError(
                "No log is configured. On Lambda, files do not outlive the function: set CHAT_LOG."
            )
        url = url or DEFAULT_LOG
        scheme, separator, path = url.partition(":///")
        if scheme != "sqlite" or not separator or not path:
            raise ConfigurationError(
                f"CHAT_LOG is {url!r}; write sqlite:///chat.db (a path from here) or sqlite:////var/chat.db."
            )
        lease = environ.get("CHAT_LEASE_MS", "") or str(DEFAULT_LEASE_MS)
        if not lease.isdecimal() or int(lease) < MIN_LEASE_MS:
            raise ConfigurationError(f"CHAT_LEASE_MS is {lease!r}; write a number of ms, at least {MIN_LEASE_MS}.")
        return cls(Path(path), environ.get("CHAT_STREAM_PREFIX", ""), int(lease))


def open_log(settings: Settings) -> Log:
    """The log these settings name."""
    from .log.sqlite import SqliteLog

    return SqliteLog(settings.sqlite_path)


def source_from_environ(environ: Mapping[str, str] = os.environ) -> Source:
    """The model: CHAT_SOURCE (``package.module:name``), else OPENAI_*, else the demo that needs no key.

    Raises ConfigurationError.
    """
    named = environ.get("CHAT_SOURCE", "")
    if named:
        return _import_source(named)
    if environ.get("OPENAI_API_KEY") or environ.get("OPENAI_BASE_URL"):
        from .sources.openai import openai_source_from_env

        return openai_source_from_env(environ)
    from .sources.demo import demo_source

    return demo_source


def _import_source(named: str) -> Source:
    from importlib import import_module

    module, separator, name = named.partition(":")
    if not separator:
        raise ConfigurationError(f"CHAT_SOURCE is {named!r}; write package.module:name.")
    try:
        source: Source = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"CHAT_SOURCE names {named!r}, which cannot be imported: {error}.") from error
    return source
