"""The sockets of boto3's calls, so that a read which waits can be ended from outside.

botocore has no way to do that: closing its stream from another thread waits for the server, for 7 s in one measurement.
Shutting the socket down ends the read at once, before the response as well as within it.
"""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

logger = logging.getLogger(__name__)

_current = threading.local()


class Interruption:
    """The means to end one call. ``requested`` is set once it was used."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Interruption:
        _current.interruption = self
        return self

    def __exit__(self, *failure: object) -> None:
        _current.interruption = None

    def request(self) -> None:
        """End the call's read, now or as soon as it begins. Never waits."""
        self.requested.set()
        self.drop_connection()

    def drop_connection(self) -> None:
        """Shut the current socket down; another attempt may follow. Never waits."""
        with self._lock:
            if self._socket is not None:
                _shut_down(self._socket)

    def watch(self, connected: socket.socket | None) -> None:
        """Take the socket that the call uses from now on; None if it uses none any more."""
        with self._lock:
            self._socket = connected
        if connected is not None and self.requested.is_set():
            _shut_down(connected)


def make_interruptible(client: Any) -> None:
    """Let the connections of a boto3 client tell the calling thread's Interruption of their sockets.

    Call this before the client is used. If botocore has changed inside, its calls end with their next bytes instead.
    """
    try:
        pools = client._endpoint.http_session._pool_classes_by_scheme
        for scheme, pool in list(pools.items()):
            pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": _watched(pool.ConnectionCls)})
    except AttributeError as error:
        logger.warning("a stop cannot end a waiting call of this version of botocore at once: %s", error)


def _watched(connection_class: type[Any]) -> type[Any]:
    class Watched(connection_class):  # type: ignore[misc]
        def request(self, *arguments: Any, **keywords: Any) -> Any:
            result = super().request(*arguments, **keywords)
            interruption: Interruption | None = getattr(_current, "interruption", None)
            if interruption is not None:
                interruption.watch(self.sock)
            return result

    return Watched


def _shut_down(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        logger.debug("a connection was closed already: %s", error)
