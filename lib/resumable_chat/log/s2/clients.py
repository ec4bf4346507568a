"""The client in use, which is replaced when its connections cannot be trusted any more."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import s2_sdk
from s2_sdk import S2, AppendRetryPolicy, Endpoints, Retry, Timeout

from ...errors import AppendOutcomeUnknown, ConfigurationError, LogUnavailable
from .client import Client
from .errors import Basin, caused_by, translate

_IDLE_SECONDS: Final = 20.0
"""A client that rested longer is replaced: a frozen function's connections are dead without knowing it."""
_CONNECT_SECONDS: Final = 3.0
_DEADLINE_FACTOR: Final = 4
"""A call with all its retries ends within this many request time-outs."""


class Clients:
    """Lends out clients of the SDK for calls and sessions, at most ``max_open`` at once.

    ``timeout`` is the time, in seconds, that one request may take. Raises ConfigurationError.
    """

    def __init__(
        self,
        access_token: str,
        basin: str,
        endpoints: tuple[str, str] | None,
        encryption_key: str | None,
        *,
        timeout: float,
        max_open: int,
    ) -> None:
        self.deadline = timeout * _DEADLINE_FACTOR
        self._token = access_token
        self._encryption_key = encryption_key
        self._timeout = timeout
        self._max_open = max_open
        self._open = 0
        self._current: Client | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False
        try:
            self._endpoints = Endpoints(*endpoints) if endpoints else Endpoints.default()
            self.basin = Basin(basin, self._endpoints._basin_url(basin))
            S2(access_token, endpoints=self._endpoints).basin(basin).stream("check", encryption_key=encryption_key)
        except s2_sdk.S2Error as error:
            raise ConfigurationError(f"The S2 settings cannot be used: {error}.") from error

    @contextmanager
    def lend(self) -> Generator[Client]:
        """Lend the client for one call or session. Raises LogUnavailable."""
        if self._open >= self._max_open:
            raise LogUnavailable(
                f"This process has {self._open:,} calls and sessions open on S2, as many as it may. "
                "Close some readers, run more processes, or raise max_open of S2Log."
            )
        client = self._trusted()
        self._open += 1
        client.open += 1
        try:
            yield client
        finally:
            self._open -= 1
            client.open -= 1

    @contextmanager
    def translated(self, client: Client, *, appending: bool = False) -> Generator[None]:
        """Raise the port's errors for the SDK's. ``appending`` says whether an outcome can be unknown."""
        try:
            yield
        except s2_sdk.S2Error as error:
            # A connection that died without a word stays in the SDK's pool, where each call would wait for it in vain.
            if caused_by(error, "ReadTimeoutError"):
                self._retire(client)
            raise translate(error, self.basin, appending=appending) from error
        except TimeoutError as error:
            self._retire(client)
            unknown = AppendOutcomeUnknown if appending else LogUnavailable
            raise unknown(f"S2 did not answer within {self.deadline:g} s.") from error

    async def close(self) -> None:
        """Close all connections. Lending raises LogUnavailable from now on."""
        self._closed = True
        current, self._current = self._current, None
        if current is not None and current.loop is asyncio.get_running_loop():
            await current.close()
        if self._retiring:
            await asyncio.wait(self._retiring)

    def _trusted(self) -> Client:
        if self._closed:
            raise LogUnavailable("The log was closed.")
        current = self._current
        if current is not None and current.loop is asyncio.get_running_loop():
            if current.idle_seconds <= _IDLE_SECONDS:
                return current
            self._retire(current)
        plain = self.basin.url.startswith("http://")
        self._current = Client(self._sdk(), self.basin.name, self._encryption_key, plain=plain)
        return self._current

    def _sdk(self) -> S2:
        try:
            sdk: S2 = S2(
                self._token,
                endpoints=self._endpoints,
                timeout=Timeout(
                    request=timedelta(seconds=self._timeout),
                    connection=timedelta(seconds=min(_CONNECT_SECONDS, self._timeout)),
                ),
                # An append that may have landed is never repeated by the SDK: the caller settles it under the same
                # sequence number.
                retry=Retry(
                    max_attempts=3,
                    min_base_delay=timedelta(milliseconds=50),
                    append_retry_policy=AppendRetryPolicy.NO_SIDE_EFFECTS,
                ),
            )
        except OSError as error:  # It reads the system's certificates, and may have no file descriptor left for that.
            raise LogUnavailable(f"No client of S2 could be made ({error}). Raise the limit on open files.") from error
        return sdk

    def _retire(self, client: Client) -> None:
        """Lend another client from now on, and close this one."""
        if self._current is client:
            self._current = None
            task = client.loop.create_task(client.close())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
