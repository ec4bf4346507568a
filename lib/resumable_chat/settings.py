"""Everything that is set from the environment, in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from .errors import ConfigurationError
from .secret_settings import is_set, read_secret, variables

if TYPE_CHECKING:
    from .log.port import Log
    from .sources.port import Source

DEFAULT_LOG: Final = "sqlite:///chat.db"

Mode = Literal["session", "shared", "single-use"]
Delivery = Literal["response", "replay"]
Auth = Literal["required", "none"]
_S2_VARIABLES: Final = (
    *variables("S2_ACCESS_TOKEN"),
    "S2_BASIN",
    "S2_ACCOUNT_ENDPOINT",
    "S2_BASIN_ENDPOINT",
    *variables("S2_ENCRYPTION_KEY"),
)
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")
_DURATION: Final = re.compile(r"[0-9]{1,12}")
MIN_LEASE_MS: Final = 3_000
"""Three heartbeats, so that one that is late does not cost a run its life."""
MAX_PREFIX_BYTES: Final = 256
"""S2's stream names have at most 512 bytes; an owner and a chat id take up to 181 of them."""


@dataclass(frozen=True, slots=True)
class S2Settings:
    """One S2 basin. ``endpoints`` are the account's and the basin's (None: the S2 cloud)."""

    access_token: str = field(repr=False)
    basin: str
    endpoints: tuple[str, str] | None = None
    encryption_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, checked.

    ``log`` is the embedded log's file, or an S2 basin; ``stream_prefix`` is put before every chat id; ``lease_ms`` is
    the silence, in ms, after which a run counts as abandoned (None: the mode's own), ``foreign_lease_ms`` the same for
    a run that another implementation writes (None: 60,000); ``delivery`` is how the modes other than session answer a
    send. ``auth`` "required" gives each authenticated caller chats of their own and refuses
    everybody else; with "none" whoever knows a chat's id has it. Pages of ``cors_origins`` may call from elsewhere.
    """

    log: Path | S2Settings
    stream_prefix: str = ""
    lease_ms: int | None = None
    mode: Mode = "session"
    delivery: Delivery = "response"
    auth: Auth = "none"
    cors_origins: tuple[str, ...] = ()
    foreign_lease_ms: int | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment. Raises ConfigurationError naming the variable to set."""
        mode, delivery = environ.get("CHAT_MODE") or "session", environ.get("CHAT_DELIVERY") or "response"
        auth = environ.get("CHAT_AUTH") or ("required" if "AWS_LAMBDA_FUNCTION_NAME" in environ else "none")
        prefix = environ.get("CHAT_STREAM_PREFIX", "")
        if len(prefix.encode()) > MAX_PREFIX_BYTES:
            raise ConfigurationError(f"CHAT_STREAM_PREFIX is over {MAX_PREFIX_BYTES} bytes; choose a shorter one.")
        for name, value, known in (
            ("CHAT_MODE", mode, get_args(Mode)),
            ("CHAT_DELIVERY", delivery, get_args(Delivery)),
            ("CHAT_AUTH", auth, get_args(Auth)),
        ):
            if value not in known:
                raise ConfigurationError(f"{name} is {value!r}; it must be one of {', '.join(known)}.")
        return cls(
            _log(environ),
            prefix,
            _lease("CHAT_LEASE_MS", environ),
            cast("Mode", mode),
            cast("Delivery", delivery),
            cast("Auth", auth),
            _origins(environ.get("CHAT_CORS_ORIGINS", "")),
            _lease("CHAT_FOREIGN_LEASE_MS", environ),
        )


def _lease(name: str, environ: Mapping[str, str]) -> int | None:
    written = environ.get(name, "")
    if not written:
        return None
    if not _DURATION.fullmatch(written) or int(written) < MIN_LEASE_MS:
        raise ConfigurationError(f"{name} is {written!r}; write a number of ms, at least {MIN_LEASE_MS}.")
    return int(written)


def _log(environ: Mapping[str, str]) -> Path | S2Settings:
    url = environ.get("CHAT_LOG", "")
    given = {name: environ[name] for name in _S2_VARIABLES if environ.get(name)}
    if given and url:
        raise ConfigurationError(f"Both CHAT_LOG and {min(given)} are set; unset one: a chat has one log.")
    if given:
        return _s2(given)
    if not url and "AWS_LAMBDA_FUNCTION_NAME" in environ:
        raise ConfigurationError(
            "No log is configured. Set S2_BASIN, and S2_ACCESS_TOKEN_SECRET or S2_ACCESS_TOKEN_PARAMETER to where the "
            "access token is kept: on Lambda, files do not outlive the function."
        )
    scheme, separator, path = (url or DEFAULT_LOG).partition(":///")
    if scheme != "sqlite" or not separator or not path:
        raise ConfigurationError(
            f"CHAT_LOG is {url!r}; write sqlite:///chat.db (a path from here) or sqlite:////var/chat.db."
        )
    return Path(path)


def _origins(listed: str) -> tuple[str, ...]:
    origins = tuple(dict.fromkeys(filter(None, (origin.strip() for origin in listed.split(",")))))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigurationError(
                f"CHAT_CORS_ORIGINS has {origin!r}; write origins like https://app.example.com, without a path, "
                "separated by commas. `*` is not one: name the pages that may call."
            )
    return origins


def _s2(given: Mapping[str, str]) -> S2Settings:
    for name in ("S2_ACCESS_TOKEN", "S2_BASIN"):
        if not is_set(name, given):
            raise ConfigurationError(
                f"{name} is not set, but {min(given)} is. S2 needs S2_BASIN, and S2_ACCESS_TOKEN or, in AWS, "
                "S2_ACCESS_TOKEN_SECRET or S2_ACCESS_TOKEN_PARAMETER."
            )
    account, basin = given.get("S2_ACCOUNT_ENDPOINT"), given.get("S2_BASIN_ENDPOINT")
    if (account is None) != (basin is None):
        missing = "S2_ACCOUNT_ENDPOINT" if account is None else "S2_BASIN_ENDPOINT"
        raise ConfigurationError(f"{missing} is not set. Set both endpoints, or neither for the S2 cloud.")
    return S2Settings(
        access_token=read_secret("S2_ACCESS_TOKEN", given),
        basin=given["S2_BASIN"],
        endpoints=(account, basin) if account and basin else None,
        encryption_key=read_secret("S2_ENCRYPTION_KEY", given) or None,
    )


def open_log(where: Path | S2Settings) -> Log:
    """The log at that place. Raises ConfigurationError."""
    if isinstance(where, Path):
        from .log.sqlite import SqliteLog

        return SqliteLog(where)
    from .log.s2 import S2Log

    return S2Log(
        access_token=where.access_token,
        basin=where.basin,
        endpoints=where.endpoints,
        encryption_key=where.encryption_key,
    )


def source_from_environ(environ: Mapping[str, str] = os.environ) -> Source:
    """Return the source that the environment names: see ``sources.loading``. Raises ConfigurationError."""
    from .sources.loading import source_from_environ as load

    return load(environ)
