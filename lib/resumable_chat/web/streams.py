"""Responses that carry one answer, or one chat, in any wire format."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ..chat import Accepted, Chat, SendRequest
from ..engine.reading import Reading
from ..engine.subscription import Wire
from ..engine.wanted import Wanted
from ..errors import BadRequest
from ..sources.port import Source
from .background import Background, WaitUntil, hand_over
from .errors import refusal
from .responses import JSON, SSE, Format, ReplayResponse

logger = logging.getLogger(__name__)

FIRST_LOOK: Final = 0.05
"""Seconds that a response waits for the log before its headers go out, so that a log out of reach is a 503."""

DEADLINE_MARGIN: Final = 2.0
"""Seconds before the platform's deadline at which a response ends by itself."""


class Streams:
    """Answers with runs and chats in wire formats.

    A response lasts until the run ends, and ends right after it. At the deadline it is broken off instead, because
    clients take a body that ends for a whole answer. The methods raise ChatError: each wire format has its own way to
    answer with errors.
    """

    def __init__(self, chat: Chat, background: Background) -> None:
        self._chat = chat
        self._background = background

    async def send(
        self,
        stream: str,
        request: SendRequest,
        source: Source,
        wire: Wire,
        form: Format = SSE,
        *,
        wait_until: WaitUntil | None = None,
        deadline: float | None = None,
    ) -> ReplayResponse:
        """Store a send, run ``source``, and answer with that run from its start.

        A send that was stored before is answered with the run that it started. ``wait_until`` is handed the run, which
        goes on when the reader leaves; without it, the run goes on in this process. ``deadline`` is the loop time at
        which the platform ends the response, and ``request.deadline`` that of the run.

        Raises BadRequest (409, 413, 422), LogUnavailable, Overloaded.
        """
        self._check_mode()
        sent = await self._chat.send(stream, request, source)
        refused = refusal(sent)
        if refused is not None:
            raise refused
        wanted = Wanted(start=sent.start) if isinstance(sent, Accepted) else Wanted(run_id=request.run_id)
        # It begins before the source does, so that it is there when the first chunk is.
        reading = self._chat.read_answer(stream, None, wanted, wire)
        if isinstance(sent, Accepted):
            try:
                await hand_over(self._chat, sent, wait_until or self._background.wait_until)
            except BaseException:
                reading.leave()
                raise
        if await reading.began(FIRST_LOOK):
            await _checked(reading)
        return self._response(reading, form, deadline)

    async def follow(
        self,
        stream: str,
        wanted: Wanted,
        wire: Wire,
        form: Format = SSE,
        *,
        cursor: int | None = None,
        deadline: float | None = None,
        patience: float | None = None,
    ) -> ReplayResponse | None:
        """Answer with one run from a cursor or its start on; None if the log holds no such run.

        After ``patience`` seconds the response begins before the log has said whether it does, and is broken off if
        it does not. Raises BadRequest (404), LogUnavailable, Overloaded.
        """
        self._check_mode()
        reading = self._chat.read_answer(stream, cursor, wanted, wire)
        if (patience is None or await reading.began(patience)) and not await _checked(reading):
            return None
        return self._response(reading, form, deadline)

    async def until_idle(
        self, stream: str, wire: Wire, form: Format = SSE, *, deadline: float | None = None
    ) -> ReplayResponse:
        """Answer with what ``wire`` makes of the whole chat and, if an answer is running, with that up to its end.

        Raises BadRequest (404), LogUnavailable, Overloaded.
        """
        self._check_mode()
        reading = self._chat.read_until_idle(stream, wire)
        await _checked(reading)
        return self._response(reading, form, deadline)

    async def document(self, stream: str, wire: Wire, *, deadline: float | None = None) -> ReplayResponse:
        """Answer with the JSON that ``wire`` makes of the whole chat as it is now.

        Raises BadRequest (404), LogUnavailable, Overloaded.
        """
        self._check_mode()
        reading = self._chat.read_until_idle(stream, wire, follow=False)
        await _checked(reading)
        return self._response(reading, JSON, deadline)

    def _response(self, reading: Reading, form: Format, deadline: float | None) -> ReplayResponse:
        return ReplayResponse(reading, live=True, ends_at=must_end_at(deadline), form=form)

    def _check_mode(self) -> None:
        mode = self._chat.options.mode
        if mode != "session":
            raise BadRequest(404, f"This server keeps no chats, because its mode is {mode!r}. Set CHAT_MODE=session.")


def must_end_at(deadline: float | None) -> float | None:
    """Return the loop time at which a response must end, so that the platform does not end it."""
    return None if deadline is None else deadline - DEADLINE_MARGIN


async def _checked(reading: Reading) -> bool:
    """Return whether the reading has something to read. Raises LogUnavailable, or Overloaded."""
    try:
        return await reading.subscription() is not None
    except asyncio.CancelledError:
        reading.leave()
        raise
