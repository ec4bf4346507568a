"""A client of the SDK with its connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from contextlib import suppress
from typing import Any, Final

from s2_sdk import S2, S2Stream

logger = logging.getLogger(__name__)

_TCP_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)
_CLOSE_SECONDS: Final = 5.0


class Client:
    """One client of the SDK for one basin and event loop, and how far its connections can be trusted.

    ``plain`` says that its connections are unencrypted.
    """

    def __init__(self, sdk: S2, basin: str, encryption_key: str | None, *, plain: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.open = 0
        """Calls and sessions that are under way."""
        self._sdk = sdk
        self._basin = sdk.basin(basin)
        self._encryption_key = encryption_key
        self._plain = plain and _TCP_QUICKACK is not None
        self._used = time.time()

    @property
    def idle_seconds(self) -> float:
        """Time since S2 was last asked or heard, also while the process was frozen; 0 while something is under way."""
        return 0.0 if self.open else time.time() - self._used

    def stream(self, name: str) -> S2Stream:
        """Return the stream to send a request to."""
        self.asked()
        found: S2Stream = self._basin.stream(name, encryption_key=self._encryption_key)
        return found

    def asked(self) -> None:
        """Note that a request is on its way."""
        self._used = time.time()
        if self._plain:
            # Sending resets the setting, so it is renewed once the request is out.
            self.loop.call_later(0.001, self._acknowledge_at_once)

    def heard(self) -> None:
        """Note that S2 answered."""
        self._used = time.time()
        if self._plain:
            self._acknowledge_at_once()

    async def close(self) -> None:
        """Close the connections; whoever still waits for them hears of it at once."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._sdk.close()
        except Exception as error:  # noqa: BLE001 - its connections are dead or dying, whatever it says
            logger.debug("closing an S2 client failed: %r", error)

    def _acknowledge_at_once(self) -> None:
        """Have the kernel acknowledge at once what it receives.

        S2 Lite leaves Nagle's algorithm on: each small write of the server would wait up to 40 ms for the delayed
        acknowledgement of the one before. Linux forgets this setting after some packets.
        """
        for pool in self._sdk._pool._hosts.values():
            for pooled in pool:
                writer: Any = getattr(getattr(pooled, "_conn", None), "_writer", None)
                sock = writer.get_extra_info("socket") if writer is not None else None
                if sock is not None:
                    with suppress(OSError):
                        sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)
