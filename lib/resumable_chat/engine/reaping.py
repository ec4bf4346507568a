"""Ends the running generation of a stream that is followed when its writer has been silent for the lease."""

from __future__ import annotations

import asyncio
import logging

from ..errors import LogError
from ..log.port import Log
from ..protocol import tokens
from ..protocol.silence import Silence
from ..view.view import View
from .ending import reap

logger = logging.getLogger(__name__)

_DEADLINE = 10.0
"""Seconds that the log may take for one answer."""


class Reaper:
    """Watches the writer of one followed stream.

    Only writers of this library are watched: another implementation's writer may be silent for as long as it likes.
    """

    def __init__(self, log: Log, stream: str, view: View, silence: Silence, message: str) -> None:
        self._log = log
        self._stream = stream
        self._view = view
        self._silence = silence
        self._message = message
        self._turned = asyncio.Event()

    def turned(self) -> None:
        """Take note that a generation has begun or ended."""
        self._turned.set()

    async def run(self) -> None:
        """Watch for ever. While nothing runs this costs nothing."""
        loop = asyncio.get_running_loop()
        while True:
            if not (self._view.running and tokens.is_ours(self._view.token)):
                self._turned.clear()
                await self._turned.wait()
                continue
            pause = self._silence.due(loop.time())
            if pause > 0:
                planned = loop.time() + pause
                await asyncio.sleep(pause)
                self._silence.slept(planned, loop.time())
                continue
            try:
                async with asyncio.timeout(_DEADLINE):
                    await self._end()
            except (LogError, TimeoutError) as error:
                logger.warning("ending the abandoned generation of %s failed: %r", self._stream, error)
            self._silence.heard(loop.time())

    async def _end(self) -> None:
        loop, view = asyncio.get_running_loop(), self._view
        asked, next_seq = loop.time(), view.next_seq
        tail = await self._log.tail(self._stream)
        if not self._silence.answered(asked, loop.time()) or not tail.seq_num == next_seq == view.next_seq:
            return
        assert view.generation is not None
        parts = view.generation.parts
        if await reap(self._log, self._stream, token=view.token, parts=parts, position=next_seq, message=self._message):
            logger.warning("ended an abandoned generation of %s", self._stream)
